/* Bytes out and bytes in: a growing buffer, a length-checked cursor, and the two integer codings of
 * docs/TRACE-FORMAT.md (LEB128 varint, zigzag). Used by the chunk codec only; inline because it is the codec's inner
 * loop. Both are sticky: after the first failure (no memory; end of the data) writing does nothing and reading gives 0.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
	uint8_t *data; /* malloc */
	size_t count;
	size_t capacity;
	bool failed;
};

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static inline uint64_t zigzag(uint64_t difference)
{
	return (difference << 1) ^ (0 - (difference >> 63));
}

static inline uint64_t unzigzag(uint64_t coded)
{
	return (coded >> 1) ^ (0 - (coded & 1));
}

static inline unsigned varint_bytes(uint64_t value)
{
	unsigned count = 1;
	for (; value >= 0x80; value >>= 7)
		count++;
	return count;
}

/* Makes room for `more` bytes; false when there is no memory. */
static inline bool bytes_reserve(struct bytes *b, size_t more)
{
	if (b->failed)
		return false;
	if (b->capacity - b->count >= more)
		return true;
	size_t capacity = b->count + more + b->capacity + 64;
	uint8_t *data = realloc(b->data, capacity);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->capacity = capacity;
	return true;
}

static inline void bytes_put(struct bytes *b, const void *data, size_t count)
{
	if (!count || !bytes_reserve(b, count))
		return;
	memcpy(b->data + b->count, data, count);
	b->count += count;
}

static inline void bytes_put_u8(struct bytes *b, uint8_t value)
{
	bytes_put(b, &value, 1);
}

static inline void bytes_put_u32(struct bytes *b, uint32_t value)
{
	for (unsigned shift = 0; shift < 32; shift += 8)
		bytes_put_u8(b, (uint8_t)(value >> shift));
}

static inline void bytes_put_varint(struct bytes *b, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		bytes_put_u8(b, (uint8_t)(value | 0x80));
	bytes_put_u8(b, (uint8_t)value);
}

static inline uint64_t cursor_fail(struct cursor *c)
{
	c->failed = true;
	c->at = c->end;
	return 0;
}

static inline uint8_t cursor_get_u8(struct cursor *c)
{
	return c->at < c->end ? *c->at++ : (uint8_t)cursor_fail(c);
}

static inline uint32_t cursor_get_u32(struct cursor *c)
{
	if (c->end - c->at < 4)
		return (uint32_t)cursor_fail(c);
	uint32_t value =
		(uint32_t)c->at[0] | (uint32_t)c->at[1] << 8 | (uint32_t)c->at[2] << 16 | (uint32_t)c->at[3] << 24;
	c->at += 4;
	return value;
}

/* At most ten bytes, and the tenth only 0 or 1: more does not fit 64 bits and is an error. */
static inline uint64_t cursor_get_varint(struct cursor *c)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64 && c->at < c->end; shift += 7) {
		uint8_t byte = *c->at++;
		if (shift == 63 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	return cursor_fail(c);
}
