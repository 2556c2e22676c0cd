/* What the trace's writer and reader share of the file format: tables, limits, lz4 blocks, checksums.
 * Format: docs/TRACE-FORMAT.md; a change here is a change there. */
#pragma once
#include "storage/trace.h"
#include <sqlite3.h>

#define TRACE_APPLICATION_ID 0x68767263 /* "hvrc" */

/* The tables, as sqlite keeps their text; a trace whose tables differ is refused. In the order of enum trace_table. */
extern const char *const trace_table_names[];
extern const char *const trace_table_sql[];
enum { TRACE_TABLE_COUNT_V1 = 4, TRACE_TABLE_COUNT = 6 };
/* How many of them a trace of this version has. */
int trace_table_count(int version);
/* Those after TRACE_TABLE_COUNT hold what devices gave and took: a trace has either all of them, or none, if it never
 * had anything for them (an empty table would take a page). */
enum { TRACE_TABLE_COUNT_ALL = 9 };

/* The columns of one row of table chunk, without its data. */
struct trace_chunk {
	uint64_t first_event;
	uint64_t event_count;
	uint64_t first_n;
	uint64_t last_n;
	uint64_t start_idle_ns;
	uint64_t raw_bytes;
};

/* XXH3-64 over the six fields above, in that order, as little-endian u64, and the data. */
uint64_t trace_chunk_checksum(const struct trace_chunk *chunk, const void *data, size_t bytes);

struct trace_bytes {
	const void *data;
	size_t count;
};

/* XXH3-64 of a keyframe's row, and of a page group's indexes or data; see docs/TRACE-FORMAT.md. */
uint64_t trace_keyframe_checksum(const struct trace_keyframe *keyframe, uint64_t state_bytes, struct trace_bytes state,
				 struct trace_bytes same);
uint64_t trace_group_checksum(uint64_t id, uint64_t page_count, struct trace_bytes bytes);

/* XXH3-64 of `bytes`, with the XXH3-64 of up to eight `fields`, as little-endian u64, as its seed. */
uint64_t trace_row_checksum(const uint64_t *fields, size_t count, struct trace_bytes bytes);

enum { TRACE_HASH_BYTES = 16 };

/* XXH3-128 of a blob's raw contents, big-endian (XXH128_canonicalFromHash). */
void trace_blob_hash(const void *data, size_t bytes, uint8_t hash[TRACE_HASH_BYTES]);

/* One lz4 block, malloc'd; NULL without memory. `small`: take the time that the best compression needs. */
uint8_t *trace_compress(const void *raw, size_t raw_bytes, bool small, size_t *stored_bytes);

/* Undoes it into malloc'd memory of raw_bytes + 1, the last one 0. NULL: errno is ENOMEM without memory; or else
 * EBADMSG, if the block does not hold exactly raw_bytes, or cannot (raw_bytes is not trusted: it is compared with lz4's
 * largest ratio before anything is allocated). */
uint8_t *trace_decompress(const void *stored, size_t stored_bytes, uint64_t raw_bytes);

/* Levels of zstd. Pages take a third less with 1 than with lz4 at its fastest, and a fifth less than with the best
 * level that lz4hc has, in a tenth of that one's time. Of a Debian file system's blocks, 2 leaves 4 % less than 1, at
 * 340 instead of 440 MB/s, and is within 9 % of zstd's default over all of them at once; 3 would take 250 MB/s. */
enum { TRACE_LEVEL_PAGES = 1, TRACE_LEVEL_DEVICES = 2 };

/* One zstd frame of a level, malloc'd; NULL without memory. Undone into malloc'd memory; NULL: errno is ENOMEM without
 * memory; or else EBADMSG, if it does not hold exactly `raw_bytes`, or that is more than `raw_bytes_max`. */
uint8_t *trace_zstd_compress(const void *raw, size_t raw_bytes, int level, size_t *stored_bytes);
uint8_t *trace_zstd_decompress(const void *stored, size_t stored_bytes, uint64_t raw_bytes, uint64_t raw_bytes_max);

/* The same for the pages of a group. */
uint8_t *trace_pages_decompress(const void *stored, size_t stored_bytes, uint64_t raw_bytes);

/* sqlite's integers are signed: an unsigned value is stored as the signed one with the same 64 bits. */
int64_t trace_sql_from_u64(uint64_t value);
uint64_t trace_u64_from_sql(int64_t value);

/* Fills `error` with "PATH: DOING: cause, what to do" for sqlite's result code `code` on `db`. Returns false.
 * Set errno to 0 before the call of sqlite that may fail: it may be the only place that knows the cause. */
bool trace_sql_error(sqlite3 *db, const char *path, const char *doing, int code, struct error *error);

/* Settings that every connection has: nothing in the file may run code, or change the schema. */
void trace_db_harden(sqlite3 *db);

/* Opens without changing the file and checks that it is a trace of a *version that this program knows, with the tables
 * that it must have. NULL on failure. The caller closes (sqlite3_close). */
sqlite3 *trace_db_open(const char *path, int *version, struct error *error);

/* The same check for what `db`, which somebody else opened, has as its main database. *path is its file, valid as long
 * as `db`, *version its format; both only set on success. */
bool trace_db_check(sqlite3 *db, const char **path, int *version, struct error *error);

/* What the header of a trace says. */
struct trace_identity {
	int version;
	uint64_t bytes;          /* of the file */
	uint64_t bytes_expected; /* fewer: it is truncated; 0 if the header does not say */
};

/* Fails if what `db` has open is not a trace of any version: not a regular file, empty, not sqlite's, not ours. */
bool trace_db_identify(const char *path, sqlite3 *db, struct trace_identity *identity, struct error *error);
