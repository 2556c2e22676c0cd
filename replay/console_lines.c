/* Bytes are gathered until a newline; only then they become text. */
#include "replay/console_lines.h"
#include "hv/host/session_console.h"
#include "replay/utf8_text.h"

void console_lines_start(struct console_lines *lines)
{
	lines->line = 0;
	lines->complete = true;
}

static bool complete(struct console_lines *lines)
{
	size_t count = lines->byte_count;
	while (count > 0 && lines->bytes[count - 1] == '\r')
		count--;
	lines->text_bytes = utf8_text_copy(lines->bytes, count, lines->text);
	lines->complete = true;
	return true;
}

bool console_lines_add(struct console_lines *lines, const struct event *event, uint64_t index, uint64_t time_ns)
{
	uint8_t byte;
	if (session_console_bytes(event, 1, &byte) == 0)
		return false;
	if (lines->complete) {
		lines->line++;
		lines->event = index;
		lines->n = event->n;
		lines->time_ns = time_ns;
		lines->byte_count = 0;
		lines->complete = false;
	}
	if (byte == '\n')
		return complete(lines);
	if (lines->byte_count < CONSOLE_LINES_BYTES_MAX)
		lines->bytes[lines->byte_count++] = (char)byte;
	return false;
}

bool console_lines_end(struct console_lines *lines)
{
	return !lines->complete && complete(lines);
}
