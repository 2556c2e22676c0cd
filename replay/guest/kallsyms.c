/* The search begins with token_index, 256 rising numbers that must agree with the 256 strings of token_table before it.
 * From there it goes back to num_syms: a number followed by exactly so many names, followed by markers that say where
 * every 256th of them begins. offsets, which rise, are then at a known place. A random match does not get that far. */
#include "replay/guest/kallsyms.h"

enum {
	TOKEN_COUNT = 256,
	TOKEN_BYTES_MAX = 128,
	NAMES_PER_MARKER = 256,
	SYMBOL_COUNT_MIN = 256,
	SYMBOL_COUNT_MAX = 1 << 22,
	ALIGN_BYTES = 8,
	INDEX_BYTES = TOKEN_COUNT * 2,
	NAMES_READ_MAX = 1 << 28, /* in all of a search: a made-up image must not take minutes */
};

struct image {
	const uint8_t *at;
	size_t bytes;
	uint64_t names_read;
};

static bool inside(const struct image *image, size_t offset, size_t bytes)
{
	return offset <= image->bytes && bytes <= image->bytes - offset;
}

static uint32_t get_u16(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t get_u32(const uint8_t *at)
{
	return get_u16(at) | get_u16(at + 2) << 16;
}

static size_t aligned(size_t offset)
{
	return (offset + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
}

static bool index_rises(const uint8_t *index)
{
	if (get_u16(index) != 0)
		return false;
	for (size_t i = 1; i < TOKEN_COUNT; i++) {
		uint32_t last = get_u16(index + 2 * i - 2), this = get_u16(index + 2 * i);
		if (this <= last || this > last + TOKEN_BYTES_MAX)
			return false;
	}
	return true;
}

/* The printable string at `offset`, which must end before `end`; SIZE_MAX: there is none. */
static size_t token_bytes(const struct image *image, size_t offset, size_t end)
{
	for (size_t i = offset; i < end; i++) {
		if (image->at[i] == 0)
			return i - offset;
		if (image->at[i] <= ' ' || image->at[i] > '~')
			break;
	}
	return SIZE_MAX;
}

/* Whether the tokens at `table` are one after the other, as the index says, up to padding before the index. */
static bool table_agrees(const struct image *image, size_t table, size_t token_index)
{
	const uint8_t *index = image->at + token_index;
	size_t next = 0;
	for (size_t i = 0; i < TOKEN_COUNT; i++) {
		if (get_u16(index + 2 * i) != next)
			return false;
		size_t bytes = token_bytes(image, table + next, token_index);
		if (bytes == SIZE_MAX)
			return false;
		next += bytes + 1;
	}
	return aligned(table + next) == token_index;
}

static bool table_find(const struct image *image, size_t token_index, size_t *token_table)
{
	size_t last = get_u16(image->at + token_index + INDEX_BYTES - 2);
	for (size_t bytes = aligned(last + 1); bytes <= last + TOKEN_BYTES_MAX + ALIGN_BYTES; bytes += ALIGN_BYTES) {
		if (bytes <= token_index && table_agrees(image, token_index - bytes, token_index)) {
			*token_table = token_index - bytes;
			return true;
		}
	}
	return false;
}

/* A name is a length, of two bytes if it is 128 or more, and so many tokens. Moves `at` to the first token; 0: no name
 * that ends before `end`. */
static size_t name_begin(const uint8_t *image, size_t *at, size_t end)
{
	size_t bytes = *at < end ? image[(*at)++] : 0;
	if (bytes & 0x80)
		bytes = *at < end ? (bytes & 0x7f) | (size_t)image[(*at)++] << 7 : 0;
	return *at <= end && bytes <= end - *at ? bytes : 0;
}

/* The end of `count` names; 0: they are none. */
static size_t names_end(struct image *image, size_t at, size_t end, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		size_t bytes = name_begin(image->at, &at, end);
		if (bytes == 0)
			return 0;
		image->names_read++;
		at += bytes;
	}
	return at;
}

static bool markers_agree(const struct image *image, size_t names, size_t end, uint32_t count)
{
	size_t marker = 0, at = names;
	for (uint32_t i = 0; i < count; i++) {
		if (i % NAMES_PER_MARKER == 0) {
			marker = i == 0 ? aligned(end) : marker + 4;
			if (!inside(image, marker, 4) || get_u32(image->at + marker) != at - names)
				return false;
		}
		at += name_begin(image->at, &at, end);
	}
	return true;
}

static bool offsets_rise(const struct image *image, size_t offsets, uint32_t count)
{
	if (offsets % ALIGN_BYTES != 0 || !inside(image, offsets, aligned((size_t)count * 4) + 8))
		return false;
	const uint8_t *at = image->at + offsets;
	for (uint32_t i = 1; i < count; i++) {
		if (get_u32(at + 4 * (size_t)i) < get_u32(at + 4 * (size_t)i - 4))
			return false;
	}
	return get_u32(at) < get_u32(at + 4 * (size_t)count - 4);
}

static bool offsets_find(const struct image *image, size_t num_syms, struct kallsyms *found)
{
	size_t bytes = aligned((size_t)found->symbol_count * 4);
	size_t after = found->token_index + INDEX_BYTES;
	if (num_syms >= bytes + 8 && offsets_rise(image, num_syms - 8 - bytes, found->symbol_count))
		found->offsets = num_syms - 8 - bytes;
	else if (offsets_rise(image, after, found->symbol_count))
		found->offsets = after;
	else
		return false;
	found->relative_base = found->offsets + bytes;
	return true;
}

static bool names_find(struct image *image, struct kallsyms *found)
{
	for (size_t at = found->token_table & ~(size_t)(ALIGN_BYTES - 1); at >= ALIGN_BYTES;) {
		at -= ALIGN_BYTES;
		uint32_t count = get_u32(image->at + at);
		if (count < SYMBOL_COUNT_MIN || count > SYMBOL_COUNT_MAX || get_u32(image->at + at + 4) != 0)
			continue;
		size_t end = names_end(image, at + ALIGN_BYTES, found->token_table, count);
		found->symbol_count = count;
		found->names = at + ALIGN_BYTES;
		if (end != 0 && markers_agree(image, found->names, end, count) && offsets_find(image, at, found))
			return true;
		if (image->names_read > NAMES_READ_MAX)
			return false;
	}
	return false;
}

bool kallsyms_find(const void *data, size_t image_bytes, struct kallsyms *kallsyms)
{
	struct image image = {.at = data, .bytes = image_bytes};
	for (size_t at = 0; inside(&image, at, INDEX_BYTES) && image.names_read <= NAMES_READ_MAX; at += ALIGN_BYTES) {
		struct kallsyms found = {.image = data, .image_bytes = image_bytes, .token_index = at};
		if (index_rises(image.at + at) && table_find(&image, at, &found.token_table) &&
		    names_find(&image, &found)) {
			*kallsyms = found;
			return true;
		}
	}
	return false;
}

/* Expands the tokens at `at`: the symbol's type and name. 0: longer than a symbol can be. */
static size_t name_expand(const struct kallsyms *kallsyms, const uint8_t *at, size_t bytes,
			  char text[SYMBOLS_NAME_BYTES_MAX + 1])
{
	size_t used = 0;
	for (size_t i = 0; i < bytes; i++) {
		uint32_t start = get_u16(kallsyms->image + kallsyms->token_index + 2 * (size_t)at[i]);
		const uint8_t *token = kallsyms->image + kallsyms->token_table + start;
		for (; *token != 0; token++) {
			if (used > SYMBOLS_NAME_BYTES_MAX)
				return 0;
			text[used++] = (char)*token;
		}
	}
	return used;
}

bool kallsyms_decode(const struct kallsyms *kallsyms, uint64_t relative_base, struct symbols *symbols,
		     struct error *error)
{
	char text[SYMBOLS_NAME_BYTES_MAX + 1];
	size_t at = kallsyms->names;
	for (uint32_t i = 0; i < kallsyms->symbol_count; i++) {
		size_t bytes = name_begin(kallsyms->image, &at, kallsyms->token_table);
		size_t used = name_expand(kallsyms, kallsyms->image + at, bytes, text);
		uint64_t va = relative_base + get_u32(kallsyms->image + kallsyms->offsets + 4 * (size_t)i);
		if (used < 2)
			return error_set(error, STATUS_FAILED,
					 "the kernel's symbol %u has no name: the tables are damaged", i);
		if (!symbols_add(symbols, va, text[0], text + 1, used - 1, error))
			return false;
		at += bytes;
	}
	return true;
}
