/* The growing buffer: capacity doubles, so that adding costs constant time. */
#include "gdbstub/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_FIRST_BYTES = 256 };

void text_free(struct text *text)
{
	free(text->data);
	*text = (struct text){0};
}

void text_clear(struct text *text)
{
	text->count = 0;
	text->failed = false;
}

static bool text_grow(struct text *text, size_t count)
{
	size_t capacity = text->capacity ? text->capacity : TEXT_FIRST_BYTES;

	if (text->failed || count > SIZE_MAX / 4)
		return false;
	while (capacity - text->count < count)
		capacity *= 2;
	char *data = realloc(text->data, capacity);
	if (!data)
		return false;
	text->data = data;
	text->capacity = capacity;
	return true;
}

char *text_room(struct text *text, size_t count)
{
	if (text->failed || ((!text->data || text->capacity - text->count < count) && !text_grow(text, count))) {
		text->failed = true;
		return NULL;
	}
	text->count += count;
	return text->data + text->count - count;
}

void text_byte(struct text *text, char byte)
{
	text_add(text, &byte, 1);
}

void text_add(struct text *text, const void *bytes, size_t count)
{
	char *room = text_room(text, count);

	if (room && count > 0)
		memcpy(room, bytes, count);
}

void text_hex(struct text *text, const void *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *from = bytes;
	char *room = text_room(text, 2 * count);

	for (size_t i = 0; room && i < count; i++) {
		room[2 * i] = digits[from[i] >> 4];
		room[2 * i + 1] = digits[from[i] & 15];
	}
}

/* GDB manual, "Overview" of the Remote Protocol: binary data. */
void text_escaped(struct text *text, const void *bytes, size_t count)
{
	const char *from = bytes;

	for (size_t i = 0; i < count; i++) {
		if (from[i] == '#' || from[i] == '$' || from[i] == '}' || from[i] == '*') {
			text_byte(text, '}');
			text_byte(text, (char)((uint8_t)from[i] ^ 0x20));
		} else {
			text_byte(text, from[i]);
		}
	}
}

void text_drop_front(struct text *text, size_t count)
{
	if (count > text->count)
		count = text->count;
	text->count -= count;
	if (text->count > 0)
		memmove(text->data, text->data + count, text->count);
}

void text_format(struct text *text, const char *format, ...)
{
	char line[512]; /* every format of the stub is shorter */
	va_list arguments;

	va_start(arguments, format);
	const int count = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	if (count < 0 || (size_t)count >= sizeof line)
		text->failed = true;
	else
		text_add(text, line, (size_t)count);
}
