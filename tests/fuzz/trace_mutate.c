/* Bytes: flips, numbers at the edges, blocks moved or zeroed, ends cut off. */
#include "tests/fuzz/trace_mutate.h"
#include "storage/trace_pages.h"
#include "tests/fuzz/random.h"

#include <string.h>

/* https://www.sqlite.org/fileformat2.html, section 4.1 */
enum {
	WAL_HEADER_BYTES = 32,
	WAL_SALTS = 16,
	WAL_CHECKSUM = 24,
	FRAME_SALTS = 8,
	FRAME_CHECKSUM = 16,
	FRAME_BYTES = 24
};

static size_t place(size_t bytes, size_t page_bytes)
{
	switch (random_below(4)) {
	case 0:
		return random_below(bytes < 100 ? bytes : 100);
	case 1: { /* where a page's own header and cell pointers are */
		size_t at = random_below(bytes / page_bytes + 1) * page_bytes + random_below(16);
		return at < bytes ? at : bytes - 1;
	}
	default:
		return random_below(bytes);
	}
}

static void number_set(uint8_t *at, size_t room)
{
	static const uint64_t edges[] = {0,
					 1,
					 0x7f,
					 0x80,
					 0xff,
					 0x7fff,
					 0x8000,
					 0xffff,
					 0x7fffffff,
					 0x80000000,
					 0xffffffff,
					 INT64_MAX,
					 UINT64_C(1) << 63,
					 UINT64_MAX};
	uint64_t value = edges[random_below(sizeof(edges) / sizeof(edges[0]))];
	size_t bytes = (size_t)1 << random_below(4);
	for (size_t i = 0; i < bytes && i < room; i++)
		at[i] = (uint8_t)(value >> (bytes - 1 - i) * 8);
}

static void block_copy(uint8_t *data, size_t bytes, size_t page_bytes)
{
	size_t from = random_below(bytes);
	size_t to = random_below(bytes);
	size_t count = 1 + random_below(64);
	if (random_below(2)) {
		from = from / page_bytes * page_bytes;
		to = to / page_bytes * page_bytes;
		count = page_bytes;
	}
	size_t end = from > to ? from : to;
	if (count > bytes - end)
		count = bytes - end;
	memmove(data + to, data + from, count);
}

static void block_zero(uint8_t *data, size_t bytes, size_t page_bytes)
{
	size_t at = random_below(bytes);
	size_t count = 1 + random_below(64);
	if (random_below(2)) {
		at = at / page_bytes * page_bytes;
		count = page_bytes;
	}
	memset(data + at, random_below(8) ? 0 : 0xff, count < bytes - at ? count : bytes - at);
}

static void length_change(uint8_t *data, size_t *bytes, size_t page_bytes)
{
	size_t more = 1 + random_below(page_bytes);
	if (random_below(4) == 0 && *bytes + more <= MUTATE_BYTES_MAX) {
		memset(data + *bytes, (int)random_below(256), more);
		*bytes += more;
	} else {
		size_t left = random_below(*bytes) + 1;
		*bytes = random_below(2) && left >= page_bytes ? left / page_bytes * page_bytes : left;
	}
}

void trace_mutate_bytes(uint8_t *data, size_t *bytes, size_t page_bytes)
{
	for (uint64_t left = 1 + random_below(8); left > 0 && *bytes > 0; left--) {
		size_t at = place(*bytes, page_bytes);
		switch (random_below(12)) {
		case 0:
		case 1:
		case 2:
		case 3:
			data[at] ^= (uint8_t)(1 << random_below(8));
			break;
		case 4:
		case 5:
			data[at] = (uint8_t)random_below(256);
			break;
		case 6:
		case 7:
			data[at] = (uint8_t)(data[at] + (random_below(2) ? 1 : -1));
			break;
		case 8:
			number_set(data + at, *bytes - at);
			break;
		case 9:
			block_copy(data, *bytes, page_bytes);
			break;
		case 10:
			block_zero(data, *bytes, page_bytes);
			break;
		default:
			if (random_below(4) == 0)
				length_change(data, bytes, page_bytes);
		}
	}
}

static void u32_put(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

void trace_mutate_wal_seal(uint8_t *wal, size_t bytes, size_t page_bytes)
{
	uint32_t sum[2] = {0, 0};
	if (bytes < WAL_HEADER_BYTES)
		return;
	bool big = wal[3] & 1;
	trace_pages_wal_checksum(big, wal, WAL_CHECKSUM, sum);
	u32_put(wal + WAL_CHECKSUM, sum[0]);
	u32_put(wal + WAL_CHECKSUM + 4, sum[1]);
	for (size_t at = WAL_HEADER_BYTES; at + FRAME_BYTES + page_bytes <= bytes; at += FRAME_BYTES + page_bytes) {
		memcpy(wal + at + FRAME_SALTS, wal + WAL_SALTS, 8);
		trace_pages_wal_checksum(big, wal + at, FRAME_SALTS, sum);
		trace_pages_wal_checksum(big, wal + at + FRAME_BYTES, page_bytes, sum);
		u32_put(wal + at + FRAME_CHECKSUM, sum[0]);
		u32_put(wal + at + FRAME_CHECKSUM + 4, sum[1]);
	}
}
