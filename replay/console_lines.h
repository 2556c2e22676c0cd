/* The guest's console as lines: fed with a trace's events, it says where each line was printed, and where a text was.
 * Memory is bounded: of a line longer than CONSOLE_LINE_BYTES_MAX the rest is not kept (but searched). */
#pragma once
#include "replay/event_stream.h"

enum { CONSOLE_LINE_BYTES_MAX = 4096, CONSOLE_FIND_BYTES_MAX = 1024 };

struct console_line {
	char text[CONSOLE_LINE_BYTES_MAX + 1]; /* without control characters but tabs */
	uint64_t n;                            /* of the write of its first byte */
	uint64_t guest_ns;                     /* guest time there */
	bool found;                            /* the text that is looked for ends in it */
	uint64_t found_n; /* position just behind the write of that text's last byte, as `monitor next console` goes to
			   */
};

struct console_lines {
	struct console_line line;
	size_t text_bytes;
	bool open; /* a byte of the line was printed */
	const char *find;
	size_t find_bytes, matched;
	size_t fallback[CONSOLE_FIND_BYTES_MAX];
};

/* Starts; `find` (NULL: nothing) must live on and have 1 to CONSOLE_FIND_BYTES_MAX bytes. Like the monitor, it is
 * looked for in all bytes that the guest printed, line ends included. Cannot fail. */
void console_lines_start(struct console_lines *lines, const char *find);

/* Takes in the next event. True: it ended a line, which is lines->line until the next call. */
bool console_lines_take(struct console_lines *lines, const struct event_at *at);

/* At the trace's end: whether there is a last line without an end, in lines->line. */
bool console_lines_end(struct console_lines *lines);
