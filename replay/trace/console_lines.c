/* The search is Knuth, Morris and Pratt's: fallback[i] is the length of the longest beginning of `find` that also ends
 * its first i + 1 bytes. So no byte is looked at twice, whatever lines it is in. */
#include "replay/trace/console_lines.h"
#include "hv/host/event_console.h"
#include "replay/trace/utf8_text.h"

#include <string.h>

void console_lines_start(struct console_lines *lines, const char *find)
{
	memset(lines, 0, sizeof(*lines));
	lines->find = find;
	lines->find_bytes = find ? strlen(find) : 0;
	for (size_t i = 1, length = 0; i < lines->find_bytes; i++) {
		while (length > 0 && find[i] != find[length])
			length = lines->fallback[length - 1];
		length += find[i] == find[length];
		lines->fallback[i] = length;
	}
}

/* Whether `find` ends with this byte. */
static bool search(struct console_lines *lines, char byte)
{
	if (lines->find_bytes == 0)
		return false;
	if (lines->matched == lines->find_bytes)
		lines->matched = lines->fallback[lines->matched - 1];
	while (lines->matched > 0 && lines->find[lines->matched] != byte)
		lines->matched = lines->fallback[lines->matched - 1];
	lines->matched += lines->find[lines->matched] == byte;
	return lines->matched == lines->find_bytes;
}

static void line_begin(struct console_lines *lines, const struct event_at *at)
{
	lines->open = true;
	lines->byte_count = 0;
	lines->line.number++;
	lines->line.event = at->index;
	lines->line.n = at->event.n;
	lines->line.guest_ns = at->guest_ns;
	lines->line.found = false;
}

/* Only now the bytes become text: a character may have come in several. */
static void line_end(struct console_lines *lines)
{
	size_t count = lines->byte_count;
	while (count > 0 && lines->bytes[count - 1] == '\r')
		count--;
	lines->line.text_bytes = utf8_text_copy(lines->bytes, count, lines->line.text);
	lines->open = false;
}

bool console_lines_take(struct console_lines *lines, const struct event_at *at)
{
	uint8_t byte;
	if (event_console_bytes(&at->event, 1, &byte) == 0)
		return false;
	if (!lines->open)
		line_begin(lines, at);
	if (search(lines, (char)byte) && !lines->line.found) {
		lines->line.found = true;
		lines->line.found_n = at->event.n + 1;
	}
	if (byte == '\n')
		line_end(lines);
	else if (lines->byte_count < CONSOLE_LINE_BYTES_MAX)
		lines->bytes[lines->byte_count++] = (char)byte;
	return byte == '\n';
}

bool console_lines_end(struct console_lines *lines)
{
	bool left = lines->open;
	if (left)
		line_end(lines);
	return left;
}
