/* Knuth, Morris and Pratt's search: each byte of the stream is looked at once, and none has to be kept. */
#include "recorder/text_watch.h"

#include <stdlib.h>
#include <string.h>

/* How much of the text the stream ends with when `byte` follows on `matched` bytes of it. */
static size_t matched_with(const struct text_watch *watch, size_t matched, uint8_t byte)
{
	while (matched > 0 && (matched == watch->bytes || (uint8_t)watch->text[matched] != byte))
		matched = watch->borders[matched - 1];
	return matched + ((uint8_t)watch->text[matched] == byte);
}

bool text_watch_open(struct text_watch *watch, const char *text)
{
	*watch = (struct text_watch){.text = text, .bytes = strlen(text)};
	watch->borders = calloc(watch->bytes, sizeof(*watch->borders));
	for (size_t i = 1; watch->borders && i < watch->bytes; i++)
		watch->borders[i] = matched_with(watch, watch->borders[i - 1], (uint8_t)text[i]);
	return watch->borders != NULL;
}

void text_watch_close(struct text_watch *watch)
{
	free(watch->borders);
	*watch = (struct text_watch){0};
}

bool text_watch_byte(struct text_watch *watch, uint8_t byte)
{
	if (!watch->text)
		return false;
	watch->matched = matched_with(watch, watch->matched, byte);
	return watch->matched == watch->bytes;
}

struct hv_console_watch text_watch_end(const struct text_watch *watch)
{
	struct hv_console_watch end = {0};
	size_t count = watch->bytes < sizeof(end.bytes) ? watch->bytes : sizeof(end.bytes);
	for (size_t i = watch->bytes - count; i < watch->bytes; i++) {
		end.bytes = end.bytes << 8 | (uint8_t)watch->text[i];
		end.mask = end.mask << 8 | UINT8_MAX;
	}
	return end;
}
