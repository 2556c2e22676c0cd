/* Tables, lz4 blocks, hashes and error texts; see trace_format.h. */
#include "storage/trace_format.h"

#include <errno.h>
#include <lz4.h>
#include <lz4hc.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>
#include <zstd_errors.h>

const char *const trace_table_names[TRACE_TABLE_COUNT_ALL] = {
	"meta", "blob", "file", "chunk", "keyframe", "page_group", "block_group", "block_version", "payload_group"};

const char *const trace_table_sql[TRACE_TABLE_COUNT_ALL] = {
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
	"CREATE TABLE blob(hash BLOB PRIMARY KEY NOT NULL, raw_bytes INTEGER NOT NULL, data BLOB NOT NULL)",
	"CREATE TABLE file(name TEXT PRIMARY KEY, hash BLOB NOT NULL) WITHOUT ROWID",
	"CREATE TABLE chunk(first_event INTEGER PRIMARY KEY, event_count INTEGER NOT NULL, first_n INTEGER NOT NULL, "
	"last_n INTEGER NOT NULL, start_idle_ns INTEGER NOT NULL, raw_bytes INTEGER NOT NULL, checksum INTEGER NOT "
	"NULL, "
	"data BLOB NOT NULL)",
	"CREATE TABLE keyframe(n INTEGER PRIMARY KEY, next_event INTEGER NOT NULL, first_group INTEGER NOT NULL, "
	"group_count INTEGER NOT NULL, state_bytes INTEGER NOT NULL, checksum INTEGER NOT NULL, state BLOB NOT NULL, "
	"same BLOB NOT NULL)",
	("CREATE TABLE page_group(id INTEGER PRIMARY KEY, page_count INTEGER NOT NULL, indexes_checksum INTEGER NOT "
	 "NULL, data_checksum INTEGER NOT NULL, indexes BLOB NOT NULL, data BLOB NOT NULL)"),
	("CREATE TABLE block_group(id INTEGER PRIMARY KEY, content_count INTEGER NOT NULL, checksum INTEGER NOT NULL, "
	 "data BLOB NOT NULL)"),
	("CREATE TABLE block_version(first_version INTEGER PRIMARY KEY, version_count INTEGER NOT NULL, raw_bytes "
	 "INTEGER NOT NULL, checksum INTEGER NOT NULL, data BLOB NOT NULL)"),
	("CREATE TABLE payload_group(first_event INTEGER PRIMARY KEY, last_event INTEGER NOT NULL, payload_count "
	 "INTEGER NOT NULL, raw_bytes INTEGER NOT NULL, checksum INTEGER NOT NULL, data BLOB NOT NULL)"),
};

int trace_table_count(int version)
{
	return version < 2 ? TRACE_TABLE_COUNT_V1 : version < 5 ? TRACE_TABLE_COUNT : TRACE_TABLE_COUNT_ALL;
}

/* Hashes u64 fields as little-endian bytes. */
static uint64_t fields_hash(const uint64_t *fields, size_t count)
{
	uint8_t bytes[64];
	for (size_t i = 0; i < count * 8; i++)
		bytes[i] = (uint8_t)(fields[i / 8] >> (i % 8 * 8));
	return XXH3_64bits(bytes, count * 8);
}

uint64_t trace_chunk_checksum(const struct trace_chunk *chunk, const void *data, size_t bytes)
{
	const uint64_t fields[] = {chunk->first_event, chunk->event_count,   chunk->first_n,
				   chunk->last_n,      chunk->start_idle_ns, chunk->raw_bytes};
	/* chained by the seed, so that no allocated hashing state is needed */
	return XXH3_64bits_withSeed(data, bytes, fields_hash(fields, sizeof(fields) / sizeof(fields[0])));
}

uint64_t trace_keyframe_checksum(const struct trace_keyframe *keyframe, uint64_t state_bytes, struct trace_bytes state,
				 struct trace_bytes same)
{
	const uint64_t fields[] = {keyframe->n,           keyframe->next_event, keyframe->first_group,
				   keyframe->group_count, state_bytes,          state.count};
	uint64_t seed = fields_hash(fields, sizeof(fields) / sizeof(fields[0]));
	return XXH3_64bits_withSeed(same.data, same.count, XXH3_64bits_withSeed(state.data, state.count, seed));
}

uint64_t trace_group_checksum(uint64_t id, uint64_t page_count, struct trace_bytes bytes)
{
	const uint64_t fields[] = {id, page_count};
	return XXH3_64bits_withSeed(bytes.data, bytes.count, fields_hash(fields, 2));
}

uint64_t trace_row_checksum(const uint64_t *fields, size_t count, struct trace_bytes bytes)
{
	return XXH3_64bits_withSeed(bytes.data, bytes.count, fields_hash(fields, count));
}

void trace_blob_hash(const void *data, size_t bytes, uint8_t hash[TRACE_HASH_BYTES])
{
	XXH128_canonical_t canonical;
	XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, bytes));
	memcpy(hash, canonical.digest, TRACE_HASH_BYTES);
}

uint8_t *trace_compress(const void *raw, size_t raw_bytes, bool small, size_t *stored_bytes)
{
	if (raw_bytes > TRACE_FILE_BYTES_MAX)
		return NULL;
	int bound = LZ4_compressBound((int)raw_bytes);
	char *stored = malloc((size_t)bound);
	if (!stored)
		return NULL;
	int bytes = small ? LZ4_compress_HC(raw, stored, (int)raw_bytes, bound, LZ4HC_CLEVEL_MAX)
			  : LZ4_compress_default(raw, stored, (int)raw_bytes, bound);
	if (bytes <= 0) { /* only the HC state's allocation can fail */
		free(stored);
		return NULL;
	}
	*stored_bytes = (size_t)bytes;
	return (uint8_t *)stored;
}

/* What decompressing answers: `raw` if it is good, else NULL, and why. */
static uint8_t *decompressed(uint8_t *raw, bool good, bool no_memory)
{
	if (good)
		return raw;
	free(raw);
	errno = no_memory ? ENOMEM : EBADMSG;
	return NULL;
}

uint8_t *trace_decompress(const void *stored, size_t stored_bytes, uint64_t raw_bytes)
{
	if (!stored_bytes || stored_bytes > INT32_MAX || raw_bytes > TRACE_FILE_BYTES_MAX ||
	    raw_bytes / 255 > stored_bytes)
		return decompressed(NULL, false, false);
	uint8_t *raw = malloc((size_t)raw_bytes + 1);
	if (!raw)
		return decompressed(NULL, false, true);
	int bytes = LZ4_decompress_safe(stored, (char *)raw, (int)stored_bytes, (int)raw_bytes);
	raw[raw_bytes] = 0;
	return decompressed(raw, bytes >= 0 && (uint64_t)bytes == raw_bytes, false);
}

uint8_t *trace_zstd_compress(const void *raw, size_t raw_bytes, int level, size_t *stored_bytes)
{
	size_t bound = ZSTD_compressBound(raw_bytes);
	uint8_t *stored = malloc(bound);
	*stored_bytes = stored ? ZSTD_compress(stored, bound, raw, raw_bytes, level) : 0;
	if (stored && !ZSTD_isError(*stored_bytes))
		return stored;
	free(stored);
	return NULL;
}

uint8_t *trace_zstd_decompress(const void *stored, size_t stored_bytes, uint64_t raw_bytes, uint64_t raw_bytes_max)
{
	if (raw_bytes > raw_bytes_max)
		return decompressed(NULL, false, false);
	uint8_t *raw = malloc((size_t)raw_bytes + 1);
	if (!raw)
		return decompressed(NULL, false, true);
	size_t bytes = ZSTD_decompress(raw, (size_t)raw_bytes, stored, stored_bytes);
	return decompressed(raw, bytes == raw_bytes, ZSTD_getErrorCode(bytes) == ZSTD_error_memory_allocation);
}

uint8_t *trace_pages_decompress(const void *stored, size_t stored_bytes, uint64_t raw_bytes)
{
	return trace_zstd_decompress(stored, stored_bytes, raw_bytes,
				     (uint64_t)TRACE_GROUP_PAGES_MAX * TRACE_PAGE_BYTES);
}

int64_t trace_sql_from_u64(uint64_t value)
{
	int64_t same_bits;
	memcpy(&same_bits, &value, sizeof(same_bits));
	return same_bits;
}

uint64_t trace_u64_from_sql(int64_t value)
{
	return (uint64_t)value;
}

bool trace_sql_error(sqlite3 *db, const char *path, const char *doing, int code, struct error *error)
{
	int last_errno = errno;
	int system_errno = db ? sqlite3_system_errno(db) : 0;
	if (!system_errno) /* sqlite does not keep it when COMMIT fails */
		system_errno = last_errno;
	switch (code & 0xff) {
	case SQLITE_FULL:
		return error_set(error, STATUS_FAILED, "%s: %s: no space left; free some or name another folder", path,
				 doing);
	case SQLITE_IOERR:
		return error_set(error, STATUS_FAILED, "%s: %s: %s (%s); check the disk and its space", path, doing,
				 system_errno ? strerror(system_errno) : "I/O error", sqlite3_errstr(code));
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return error_set(error, STATUS_FAILED, "%s: %s: %s; check the rights of the file and its folder", path,
				 doing, system_errno ? strerror(system_errno) : sqlite3_errstr(code));
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(error, STATUS_FAILED, "%s: %s: another program is using it; end that first", path,
				 doing);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return error_set(error, STATUS_FAILED,
				 "%s: %s: the file is damaged (%s); copy it again, or try hvrec repair", path, doing,
				 sqlite3_errstr(code));
	case SQLITE_INTERRUPT: /* trace_limit.h */
		return error_set(error, STATUS_FAILED,
				 "%s: %s: the file is damaged (a table has no end); copy it again, or try hvrec repair",
				 path, doing);
	default:
		return error_set(error, STATUS_FAILED, "%s: %s: %s", path, doing,
				 db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
	}
}
