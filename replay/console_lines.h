/* The console's output by lines, each with the place of its first byte: feed it every event of a trace, in order.
 * Carriage returns at a line's end are left out. Nothing here can fail. */
#pragma once
#include "hv/abi/event.h"
#include <stddef.h>

enum { CONSOLE_LINES_BYTES_MAX = 16384 }; /* of a line; the rest of a longer one is left out */

struct console_lines {
	uint64_t line;              /* of the line at hand, from 1 */
	uint64_t event, n, time_ns; /* of its first byte */
	bool complete;              /* the next byte begins a new line */
	size_t byte_count;
	char bytes[CONSOLE_LINES_BYTES_MAX];
	char text[3 * CONSOLE_LINES_BYTES_MAX + 1]; /* valid UTF-8; set when a line is complete */
	size_t text_bytes;
};

void console_lines_start(struct console_lines *lines);

/* Takes in one event. True: it completed the line at hand. */
bool console_lines_add(struct console_lines *lines, const struct event *event, uint64_t index, uint64_t time_ns);

/* Behind the last event. True: what was printed after the last newline is the line at hand. */
bool console_lines_end(struct console_lines *lines);
