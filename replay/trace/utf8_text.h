/* UTF-8 out of bytes that may be anything (RFC 3629). */
#pragma once
#include <stddef.h>

#define UTF8_TEXT_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
enum { UTF8_TEXT_REPLACEMENT_BYTES = 3 };

/* Bytes of the character at `at`, where `left` bytes are; 0: there is no valid one. Cannot fail. */
size_t utf8_text_length(const char *at, size_t left);

/* Copies `bytes` bytes, with U+FFFD for each byte that is NUL or no valid UTF-8, and ends with NUL. `text` has room for
 * 3 * bytes + 1. Returns the length. Cannot fail. */
size_t utf8_text_copy(const char *from, size_t bytes, char *text);
