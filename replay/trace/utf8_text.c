/* The well-formed byte sequences are those of RFC 3629, section 4: no overlong forms, no surrogates, up to U+10FFFF. */
#include "replay/trace/utf8_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool within(uint8_t byte, uint8_t low, uint8_t high)
{
	return byte >= low && byte <= high;
}

/* The second byte has narrower bounds after some first ones. */
static bool second_good(uint8_t first, uint8_t second)
{
	uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	return within(second, low, high);
}

size_t utf8_text_length(const char *at, size_t left)
{
	uint8_t bytes[4] = {0};
	memcpy(bytes, at, left < sizeof(bytes) ? left : sizeof(bytes));
	size_t length = bytes[0] < 0x80                ? 1
			: within(bytes[0], 0xc2, 0xdf) ? 2
			: within(bytes[0], 0xe0, 0xef) ? 3
			: within(bytes[0], 0xf0, 0xf4) ? 4
						       : 0;
	if (length > left || (length > 1 && !second_good(bytes[0], bytes[1])))
		return 0;
	for (size_t i = 2; i < length; i++) {
		if (!within(bytes[i], 0x80, 0xbf))
			return 0;
	}
	return length;
}

size_t utf8_text_copy(const char *from, size_t bytes, char *text)
{
	char *to = text;
	for (size_t at = 0; at < bytes;) {
		size_t length = from[at] ? utf8_text_length(from + at, bytes - at) : 0;
		if (length > 0)
			memcpy(to, from + at, length);
		else
			memcpy(to, UTF8_TEXT_REPLACEMENT, UTF8_TEXT_REPLACEMENT_BYTES);
		to += length > 0 ? length : UTF8_TEXT_REPLACEMENT_BYTES;
		at += length > 0 ? length : 1;
	}
	*to = 0;
	return (size_t)(to - text);
}
