/* The pages of an sqlite file and of its -wal, read without sqlite, for files that sqlite refuses. Nothing is trusted,
 * nothing is written. Source: https://www.sqlite.org/fileformat2.html, sections 1 and 4. */
#pragma once
#include "hv/error/error.h"
#include <stddef.h>
#include <stdint.h>

struct trace_pages;

/* Opens `path` and, if it is there, `path`-wal, of which the frames up to the last sound commit count. NULL on failure;
 * a file that is being recorded is refused. */
struct trace_pages *trace_pages_open(const char *path, struct error *error);

/* Frees; NULL is allowed. */
void trace_pages_close(struct trace_pages *pages);

/* Bytes of a page: a power of two from 512 to 65536. Cannot fail. */
size_t trace_pages_bytes(const struct trace_pages *pages);

/* The number of the first page after page `after` (0: of all); 0 if there is none. Cannot fail. */
uint32_t trace_pages_next(const struct trace_pages *pages, uint32_t after);

/* Page `number`, from the -wal if it is there; zeroes in place of what cannot be read. Valid until the next call.
 * NULL if there is no such page. */
const uint8_t *trace_pages_get(struct trace_pages *pages, uint32_t number);

/* An upper bound for what all pages together hold, in bytes. Cannot fail. */
uint64_t trace_pages_total_bytes(const struct trace_pages *pages);

/* Goes on with a -wal's checksum over `bytes`, a multiple of 8; words are big-endian if `big`. */
void trace_pages_wal_checksum(bool big, const uint8_t *data, size_t bytes, uint32_t sum[2]);

/* A big-endian number, as sqlite's files have them. */
static inline uint32_t trace_pages_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}
