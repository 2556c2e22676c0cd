/* The user's side of the guest's UART: where its output goes, where input comes from, and the terminal's raw mode.
 *
 * 1. The terminal is restored at console_close and at exit; the signals that would end the program come as data.
 * 2. Output to a full pipe waits until it is read, a signal comes, or the time is up; a closed one is an error. */
#pragma once
#include "hv/error/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct console {
	int output_fd;       /* -1: nowhere */
	int input_fd;        /* -1: no more input */
	bool on_terminal;    /* output goes to the terminal that the user looks at */
	bool raw;            /* input comes from that terminal, unedited */
	bool escape;         /* Ctrl-A was typed */
	int signal_fd;       /* readable: the user wants to end, so nothing waits for output any more; 0: none */
	int64_t deadline_ns; /* of session_now_ns: nothing waits for output any more; 0: none */
	uint64_t output_bytes;
};

enum console_input { CONSOLE_BYTES, CONSOLE_ENDED, CONSOLE_QUIT };

/* Opens the output ("-", "none" or a file; NULL: "-"). What is in the file stays until console_begin. */
bool console_open_output(struct console *console, const char *output, struct error *error);
/* Empties the output, if it is a file. Cannot fail. */
void console_begin(const struct console *console);
/* Opens the input ("-", or a file; NULL: the terminal if standard input is one, otherwise none). */
bool console_open_input(struct console *console, const char *input, struct error *error);
bool console_write(struct console *console, const uint8_t *bytes, size_t count, struct error *error);
/* Reads at most `room` bytes for the guest. On a terminal Ctrl-A X ends (CONSOLE_QUIT), Ctrl-A H helps, Ctrl-A Ctrl-A
 * is a Ctrl-A. */
enum console_input console_read(struct console *console, uint8_t *bytes, size_t room, size_t *count);
void console_close_input(struct console *console);
void console_close_input(struct console *console);
void console_close(struct console *console);
/* Gives the terminal back, if it was taken. */
void console_restore(void);
