/* Console input: read, held back, released line by line. */
#include "recorder/input.h"
#include "hv/error/check.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool lines_wait(const struct input *input)
{
	return input->prompts && input->prompts[input->lines];
}

/* Whether the next line waits for its prompt. */
static bool waits(const struct input *input)
{
	return lines_wait(input) && input->lines >= input->shown;
}

/* Looks out for the next prompt. */
static bool prompt_next(struct input *input, struct error *error)
{
	text_watch_close(&input->prompt);
	while (input->prompts && input->prompts[input->shown] && input->prompts[input->shown][0] == 0)
		input->shown++;
	const char *prompt = input->prompts ? input->prompts[input->shown] : NULL;
	bool good =
		!prompt || text_watch_open(&input->prompt, prompt) || error_set(error, STATUS_FAILED, "out of memory");
	input->machine->mailbox->console_watch[0] = text_watch_end(&input->prompt);
	return good;
}

static bool is_file(int fd)
{
	struct stat status;
	return fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

bool input_open(struct input *input, struct machine *machine, struct console *console, const char *const *prompts,
		struct error *error)
{
	*input = (struct input){.machine = machine, .console = console, .prompts = prompts};
	bool good = prompt_next(input, error);
	while (good && is_file(console->input_fd) && input_fd(input) >= 0) {
		input_take(input);
		input_release(input);
	}
	input_release(input);
	return good;
}

void input_close(struct input *input)
{
	text_watch_close(&input->prompt);
}

int input_fd(const struct input *input)
{
	return input->held_count < INPUT_HELD_BYTES ? input->console->input_fd : -1;
}

bool input_take(struct input *input)
{
	size_t count = 0;
	CHECK(input->held_first + input->held_count <= INPUT_HELD_BYTES);
	memmove(input->held, input->held + input->held_first, input->held_count);
	input->held_first = 0;
	switch (console_read(input->console, input->held + input->held_count, INPUT_HELD_BYTES - input->held_count,
			     &count)) {
	case CONSOLE_BYTES:
		input->held_count += count;
		return true;
	case CONSOLE_ENDED:
		console_close_input(input->console);
		return true;
	case CONSOLE_QUIT:
	default:
		return false;
	}
}

bool input_see(struct input *input, uint8_t byte, struct error *error)
{
	if (!text_watch_byte(&input->prompt, byte))
		return true;
	input->shown++;
	return prompt_next(input, error);
}

/* The next byte that may go to the guest; false: there is none. Counts lines: LF ends one, CR too, both together once.
 */
static bool byte_next(struct input *input, uint8_t *byte)
{
	if (input->held_count == 0)
		return false;
	*byte = input->held[input->held_first];
	bool second = *byte == '\n' && input->last == '\r';
	if (!second && waits(input))
		return false;
	input->held_first++;
	input->held_count--;
	input->last = *byte;
	if (!second && lines_wait(input) && (*byte == '\n' || *byte == '\r'))
		input->lines++;
	return true;
}

bool input_release(struct input *input)
{
	struct hv_mailbox *mailbox = input->machine->mailbox;
	uint64_t ring_bytes = input->machine->boot->input_ring_bytes;
	uint64_t before = mailbox->input_head, head = before;
	CHECK(before - mailbox->input_tail <= ring_bytes);
	uint64_t end = machine_index_load(&mailbox->input_tail) + ring_bytes;
	for (uint8_t byte; head < end && byte_next(input, &byte); head++)
		input->machine->input[head % ring_bytes] = byte;
	machine_index_store(&mailbox->input_head, head);
	uint32_t ended = waits(input) || (input->held_count == 0 && input->console->input_fd < 0);
	bool changed = ended != mailbox->input_ended;
	__atomic_store_n(&mailbox->input_ended, ended, __ATOMIC_SEQ_CST);
	return changed || head != before;
}

const char *input_end_text(const struct input *input, char *text, size_t bytes)
{
	const struct hv_mailbox *mailbox = input->machine->mailbox;
	bool queued = mailbox->input_head != mailbox->input_tail;
	bool is_full = mailbox->final_state.uart.rx_count > 0;
	if (queued)
		snprintf(
			text, bytes, "%s",
			is_full ? "the UART is full of input that the guest does not read"
				: "the guest has not asked for the input that is left: its UART's receive interrupt is "
				  "masked");
	else if (waits(input) && (input->held_count > 0 || input->console->input_fd >= 0))
		snprintf(text, bytes, "the console has not shown \"%s\", which --input-after waits for",
			 input->prompts[input->shown]);
	else
		snprintf(text, bytes, "no input is left");
	return text;
}
