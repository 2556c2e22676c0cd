/* Lines are chosen by where they begin, so that memory is bounded by the constants in the header. */
#include "tools/report/report_console.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_FIRST = 4096, LINES_FIRST = 256 };

struct line {
	uint64_t n, idle_ns; /* of its first byte */
	size_t first, bytes; /* in the text */
	uint64_t cut_bytes;  /* of it that were not kept */
};

struct report_console {
	uint64_t bytes_total, lines_total;
	uint64_t bytes_seen, lines_seen;
	bool inside, kept; /* a line has begun; it is kept */
	struct line *lines;
	size_t line_count, line_room;
	size_t head_count; /* of lines that stand before what is left out */
	char *text;
	size_t text_bytes, text_room;
};

struct report_console *report_console_new(uint64_t bytes, uint64_t lines, struct error *error)
{
	struct report_console *console = calloc(1, sizeof(*console));
	if (console)
		console->text = malloc(TEXT_BYTES_FIRST);
	if (!console || !console->text) {
		free(console);
		error_set(error, STATUS_FAILED, "out of memory");
		return NULL;
	}
	console->text_room = TEXT_BYTES_FIRST;
	console->bytes_total = bytes;
	console->lines_total = lines;
	return console;
}

void report_console_free(struct report_console *console)
{
	if (!console)
		return;
	free(console->lines);
	free(console->text);
	free(console);
}

/* Makes room for one more element. */
static bool room(void **elements, size_t count, size_t *elements_room, size_t element_bytes, struct error *error)
{
	if (count < *elements_room)
		return true;
	size_t wanted = *elements_room > 0 ? *elements_room * 2 : LINES_FIRST;
	void *grown = realloc(*elements, wanted * element_bytes);
	if (!grown)
		return error_set(error, STATUS_FAILED, "out of memory");
	*elements = grown;
	*elements_room = wanted;
	return true;
}

static bool line_begin(struct report_console *console, uint64_t n, uint64_t idle_ns, struct error *error)
{
	bool head = console->bytes_seen < REPORT_CONSOLE_HEAD_BYTES && console->lines_seen < REPORT_CONSOLE_HEAD_LINES;
	bool tail = console->bytes_total - console->bytes_seen <= REPORT_CONSOLE_TAIL_BYTES &&
		    console->lines_total - console->lines_seen <= REPORT_CONSOLE_TAIL_LINES;
	console->inside = true;
	console->kept = head || tail;
	console->lines_seen++;
	if (!console->kept)
		return true;
	void *lines = console->lines;
	bool good = room(&lines, console->line_count, &console->line_room, sizeof(*console->lines), error);
	console->lines = lines;
	if (!good)
		return false;
	console->lines[console->line_count++] = (struct line){.n = n, .idle_ns = idle_ns, .first = console->text_bytes};
	console->head_count += console->line_count == console->lines_seen;
	return true;
}

static bool line_append(struct report_console *console, uint8_t byte, struct error *error)
{
	struct line *line = &console->lines[console->line_count - 1];
	if (line->bytes >= REPORT_CONSOLE_LINE_BYTES_MAX) {
		line->cut_bytes++;
		return true;
	}
	void *text = console->text;
	bool good = room(&text, console->text_bytes, &console->text_room, 1, error);
	console->text = text;
	if (!good)
		return false;
	console->text[console->text_bytes++] = (char)byte;
	line->bytes++;
	return true;
}

bool report_console_add(struct report_console *console, const struct event *event, const struct report_place *place,
			struct error *error)
{
	uint8_t byte;
	if (!report_scan_console(event, &byte))
		return true;
	if (!console->inside && !line_begin(console, event->n, place->idle_ns, error))
		return false;
	console->bytes_seen++;
	if (byte == '\n')
		console->inside = false;
	else if (console->kept)
		return line_append(console, byte, error);
	return true;
}

static void places_json(const struct report_console *console, struct json *json)
{
	struct line last = {0};
	json_array(json, "places");
	for (size_t i = 0; i < console->line_count; i++) {
		const struct line *line = &console->lines[i];
		json_number(json, NULL, line->n - last.n);
		json_number(json, NULL, line->idle_ns - last.idle_ns);
		last = *line;
	}
	json_array_end(json);
}

static void cut_json(const struct report_console *console, struct json *json)
{
	char key[24];
	json_object(json, "cut");
	for (size_t i = 0; i < console->line_count; i++) {
		if (console->lines[i].cut_bytes == 0)
			continue;
		snprintf(key, sizeof(key), "%zu", i);
		json_number(json, key, console->lines[i].cut_bytes);
	}
	json_object_end(json);
}

void report_console_json(const struct report_console *console, struct json *json)
{
	json_object(json, "console");
	json_number(json, "bytes", console->bytes_total);
	json_number(json, "lines", console->lines_total);
	json_number(json, "head", console->head_count);
	json_break(json);
	places_json(console, json);
	json_break(json);
	cut_json(console, json);
	json_break(json);
	json_array(json, "text");
	for (size_t i = 0; i < console->line_count; i++) {
		const struct line *line = &console->lines[i];
		bool returned = line->bytes > 0 && console->text[line->first + line->bytes - 1] == '\r';
		json_break(json);
		json_bytes(json, NULL, console->text + line->first, line->bytes - returned);
	}
	json_array_end(json);
	json_object_end(json);
}
