/* The console's text for the page: lines, each with the place of its first byte. Of a long text the beginning and the
 * end are kept; how much is left out between is known. */
#pragma once
#include "tools/json.h"
#include "tools/report/report_scan.h"

enum {
	REPORT_CONSOLE_HEAD_BYTES = 128 << 10,
	REPORT_CONSOLE_TAIL_BYTES = 256 << 10,
	REPORT_CONSOLE_HEAD_LINES = 4000,
	REPORT_CONSOLE_TAIL_LINES = 8000,
	REPORT_CONSOLE_LINE_BYTES_MAX = 2000, /* what a line has beyond is cut off */
};

struct report_console;

/* For a console of so many bytes and lines in all. NULL: out of memory, error set. */
struct report_console *report_console_new(uint64_t bytes, uint64_t lines, struct error *error);
void report_console_free(struct report_console *console);
/* Takes the next event, which may be any. False: out of memory, error set. */
bool report_console_add(struct report_console *console, const struct event *event, const struct report_place *place,
			struct error *error);
/* Writes the console as one JSON object. */
void report_console_json(const struct report_console *console, struct json *json);
