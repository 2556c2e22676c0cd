/* Console input of a recording: from where the user gives it into the input ring, as far as it may go already.
 *
 * Without prompts all of it may. With prompts (--input-after) each line waits until the console has shown its own, from
 * the prompt before it on; what follows the last of these lines comes with it. When the guest gets what is in the ring
 * is hv's to say (hv/core/asking.h). */
#pragma once
#include "hv/host/console.h"
#include "hv/host/machine.h"
#include "recorder/text_watch.h"

enum { INPUT_HELD_BYTES = 4096 };

struct input {
	struct machine *machine;
	struct console *console;
	const char *const *prompts; /* NULL-terminated, or NULL */
	struct text_watch prompt;   /* that the next line waits for, if it waits */
	size_t shown;               /* how many prompts were */
	size_t lines;               /* how many lines are in the ring, whole */
	uint8_t last;               /* the last byte that went there */
	uint8_t held[INPUT_HELD_BYTES];
	size_t held_first, held_count;
};

/* Begins, before the machine starts: what is in a file goes into the ring at once. `prompts`: an empty one is shown
 * from the start. False: no memory, error set. */
bool input_open(struct input *input, struct machine *machine, struct console *console, const char *const *prompts,
		struct error *error);
void input_close(struct input *input);
/* The descriptor to poll for more, or -1. */
int input_fd(const struct input *input);
/* Takes what is there to read. Returns false if the user wants to end. */
bool input_take(struct input *input);
/* The console shows one more byte. False: no memory for the next prompt, error set. */
bool input_see(struct input *input, uint8_t byte, struct error *error);
/* Moves into the ring what may go there and fits. Call after bytes were seen, and at every turn. Returns whether hv has
 * to hear of it. */
bool input_release(struct input *input);
/* Why a guest that waits for ever gets no input: in words, for an error line, in the form "no input is left". */
const char *input_end_text(const struct input *input, char *text, size_t bytes);
