/* The user's side of the guest's UART: where its output goes, where input comes from, and the terminal's raw mode.
 *
 * 1. The terminal is restored whatever happens: at console_close, at exit, and by console_restore from a signal
 * handler.
 * 2. Writing never blocks the recording for good: output to a full pipe waits, a closed one is an error. */
#pragma once
#include "hv/host/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct console {
	int output_fd;    /* -1: nowhere */
	int input_fd;     /* -1: no more input */
	bool on_terminal; /* output goes to the terminal that the user looks at */
	bool raw;         /* input comes from that terminal, unedited */
	bool escape;      /* Ctrl-A was typed */
	uint64_t output_bytes;
};

enum console_input { CONSOLE_BYTES, CONSOLE_ENDED, CONSOLE_QUIT };

/* Opens the output ("-", "none" or a file; NULL: "-"). */
bool console_open_output(struct console *console, const char *output, struct error *error);
/* Opens the input ("-", or a file; NULL: the terminal if standard input is one, otherwise none). */
bool console_open_input(struct console *console, const char *input, struct error *error);
bool console_write(struct console *console, const uint8_t *bytes, size_t count, struct error *error);
/* Reads at most `room` bytes for the guest. On a terminal Ctrl-A X ends (CONSOLE_QUIT), Ctrl-A H helps, Ctrl-A Ctrl-A
 * is a Ctrl-A. */
enum console_input console_read(struct console *console, uint8_t *bytes, size_t room, size_t *count);
void console_close(struct console *console);
/* Gives the terminal back; safe in a signal handler, and when nothing is to be done. */
void console_restore(void);
