/* The guest's console as lines: fed with a trace's events, it says where each line was printed, and where a text was.
 * Memory is bounded: of a line longer than CONSOLE_LINE_BYTES_MAX the rest is not kept (but searched). */
#pragma once
#include "replay/trace/event_stream.h"

enum { CONSOLE_LINE_BYTES_MAX = 16384, CONSOLE_FIND_BYTES_MAX = 1024 };

struct console_line {
	char text[3 * CONSOLE_LINE_BYTES_MAX +
		  1]; /* valid UTF-8, without the line's end and carriage returns before it */
	size_t text_bytes;
	uint64_t number; /* from 1, in the trace */
	uint64_t event;  /* of the write of its first byte */
	uint64_t n;
	uint64_t guest_ns;
	bool found;       /* the text that is looked for ends in it */
	uint64_t found_n; /* position just after the write of that text's last byte, as `monitor next console` goes */
};

struct console_lines {
	struct console_line line;
	bool open; /* a byte of the line was printed, and its end was not */
	size_t byte_count;
	char bytes[CONSOLE_LINE_BYTES_MAX]; /* of the open line, as they were printed */
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
