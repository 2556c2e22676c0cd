/* Waits for a text in a stream of bytes that comes in pieces. A `text_watch` owns what it was opened with. */
#pragma once
#include "hv/abi/mailbox.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_watch {
	const char *text; /* the caller's; NULL: waits for nothing */
	size_t bytes;
	size_t matched;  /* of text, by the stream's last bytes */
	size_t *borders; /* of each beginning of text: how long the longest one is that it ends with itself */
};

/* Waits for `text`, which is not empty, from the next byte on. False: no memory. Give it back with text_watch_close. */
bool text_watch_open(struct text_watch *watch, const char *text);
void text_watch_close(struct text_watch *watch);
/* Takes the next byte. Returns whether the text ends with it. */
bool text_watch_byte(struct text_watch *watch, uint8_t byte);
/* What hv is to look for, so that it stands still where the text may be complete. */
struct hv_console_watch text_watch_end(const struct text_watch *watch);
