/* A growing buffer of characters: replies and output of the stub. It may hold any bytes and has no final zero.
 * Sticky: after the first failure (no memory) adding does nothing, until text_clear. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *data; /* malloc */
	size_t count;
	size_t capacity;
	bool failed;
};

void text_free(struct text *text);                                 /* Cannot fail; the text is empty and usable. */
void text_clear(struct text *text);                                /* Keeps its memory. Cannot fail. */
char *text_room(struct text *text, size_t count);                  /* Adds `count` bytes to fill; NULL: no memory. */
void text_byte(struct text *text, char byte);                      /* Adds one. */
void text_add(struct text *text, const void *bytes, size_t count); /* Adds bytes as they are. */
void text_hex(struct text *text, const void *bytes, size_t count); /* Adds two lower-case digits for each byte. */
void text_escaped(struct text *text, const void *bytes, size_t count); /* Adds bytes, } before those of the frame. */
void text_drop_front(struct text *text, size_t count);                 /* Forgets the first bytes. Cannot fail. */
__attribute__((format(printf, 2, 3))) void text_format(struct text *text, const char *format, ...);
