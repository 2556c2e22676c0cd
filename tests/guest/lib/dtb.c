/* One pass over the structure block. Values are big-endian and read by bytes: the DTB need not be aligned for them. */
#include "tests/guest/lib/dtb.h"
#include "tests/guest/lib/guest.h"

enum {
	FDT_MAGIC = 0x00,
	FDT_OFF_DT_STRUCT = 0x08,
	FDT_OFF_DT_STRINGS = 0x0c,
	FDT_SIZE_DT_STRUCT = 0x24,
	FDT_BEGIN_NODE = 1,
	FDT_END_NODE = 2,
	FDT_PROP = 3,
	FDT_NOP = 4,
};
#define FDT_MAGIC_VALUE 0xd00dfeedu

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t get_u64(const uint8_t *at)
{
	return (uint64_t)get_u32(at) << 32 | get_u32(at + 4);
}

static bool starts_with(const uint8_t *text, const char *start)
{
	while (*start && (char)*text == *start) {
		text++;
		start++;
	}
	return *start == 0;
}

static bool equal(const uint8_t *text, const char *other)
{
	uint32_t length = 0;
	while (other[length])
		length++;
	return starts_with(text, other) && text[length] == 0;
}

static uint32_t padded_string_bytes(const uint8_t *text)
{
	uint32_t length = 0;
	while (text[length])
		length++;
	return (length + 4) & ~3u;
}

const uint8_t *dtb_property(const char *node, const char *property, uint32_t *bytes)
{
	const uint8_t *dtb = (const uint8_t *)guest_dtb;
	if (get_u32(dtb + FDT_MAGIC) != FDT_MAGIC_VALUE)
		return NULL;
	const uint8_t *strings = dtb + get_u32(dtb + FDT_OFF_DT_STRINGS);
	const uint8_t *at = dtb + get_u32(dtb + FDT_OFF_DT_STRUCT);
	const uint8_t *end = at + get_u32(dtb + FDT_SIZE_DT_STRUCT);
	int depth = 0;
	bool in_node = false;
	while (at < end) {
		uint32_t token = get_u32(at);
		at += 4;
		if (token == FDT_BEGIN_NODE) {
			in_node = depth++ == 1 && starts_with(at, node);
			at += padded_string_bytes(at);
		} else if (token == FDT_END_NODE) {
			depth--;
			in_node = false;
		} else if (token == FDT_PROP) {
			*bytes = get_u32(at);
			if (in_node && equal(strings + get_u32(at + 4), property))
				return at + 8;
			at += 8 + ((*bytes + 3) & ~3u);
		} else if (token != FDT_NOP) {
			break;
		}
	}
	return NULL;
}

bool dtb_memory(uint64_t *start, uint64_t *bytes)
{
	uint32_t length;
	const uint8_t *reg = dtb_property("memory", "reg", &length);
	if (!reg || length < 16)
		return false;
	*start = get_u64(reg);
	*bytes = get_u64(reg + 8);
	return true;
}
