/* What trace_write.c is made of: the prepared statements, the sticky failure; and the puts of metadata and named files.
 */
#include "hv/error/check.h"
#include "storage/trace_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const statement_sql[STATEMENT_COUNT] = {
	[PUT_CHUNK] = "INSERT INTO chunk VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[DROP_CHUNKS] = "DELETE FROM chunk WHERE first_event >= ?1",
	[PUT_META] = "INSERT OR REPLACE INTO meta VALUES(?1, ?2)",
	[PUT_FILE] = "INSERT OR REPLACE INTO file VALUES(?1, ?2)",
	[HAS_BLOB] = "SELECT 1 FROM blob WHERE hash = ?1",
	[PUT_BLOB] = "INSERT INTO blob VALUES(?1, ?2, ?3)",
	[PUT_KEYFRAME] = "INSERT INTO keyframe VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[PUT_GROUP] = "INSERT INTO page_group VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
	[FIND_KEYFRAME] = "SELECT next_event, first_group + group_count FROM keyframe WHERE n = ?1",
	[NEXT_GROUP] = "SELECT id, indexes FROM page_group WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 1",
	[DROP_GROUP] = "DELETE FROM page_group WHERE id = ?1",
	[DROP_KEYFRAMES] = "DELETE FROM keyframe WHERE n < ?1",
	[DROP_CHUNKS_BEFORE] = "DELETE FROM chunk WHERE first_event < ?1 AND first_event + event_count <= ?1",
	[PUT_BLOCK_GROUP] = "INSERT OR REPLACE INTO block_group VALUES(?1, ?2, ?3, ?4)",
	[DROP_BLOCK_GROUP] = "DELETE FROM block_group WHERE id = ?1",
	[PUT_VERSIONS] = "INSERT OR REPLACE INTO block_version VALUES(?1, ?2, ?3, ?4, ?5)",
	[FIND_VERSIONS] =
		("SELECT first_version, version_count, raw_bytes, data FROM block_version WHERE first_version "
		 "<= ?1 ORDER BY first_version DESC LIMIT 1"),
	[DROP_VERSIONS] = "DELETE FROM block_version WHERE first_version = ?1",
	[DROP_PAYLOADS] = "DELETE FROM payload_group WHERE last_event < ?1",
	[COUNT_PAYLOADS] = "SELECT sum(payload_count) FROM payload_group",
	[PUT_PAYLOADS] = "INSERT OR REPLACE INTO payload_group VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
};

bool trace_writer_fail(struct trace_writer *w, int code)
{
	return trace_sql_error(w->db, w->path, "cannot write", code, &w->failed);
}

bool trace_writer_report(const struct trace_writer *w, struct error *error)
{
	return w->failed.status == STATUS_OK || error_set(error, w->failed.status, "%s", w->failed.text);
}

bool trace_writer_run(struct trace_writer *w, const char *sql)
{
	errno = 0;
	int code = sqlite3_exec(w->db, sql, NULL, NULL, NULL);
	return code == SQLITE_OK || trace_writer_fail(w, code);
}

bool trace_writer_begin(struct trace_writer *w)
{
	if (w->failed.status != STATUS_OK)
		return false;
	if (!w->in_transaction)
		w->in_transaction = trace_writer_run(w, "BEGIN IMMEDIATE");
	return w->in_transaction;
}

bool trace_writer_prepare(struct trace_writer *w, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end && w->failed.status == STATUS_OK; i++) {
		int code = sqlite3_prepare_v3(w->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &w->statements[i],
					      NULL);
		if (code != SQLITE_OK)
			trace_writer_fail(w, code);
	}
	return w->failed.status == STATUS_OK;
}

bool trace_writer_begin_devices(struct trace_writer *w)
{
	if (!trace_writer_begin(w) || w->has_devices)
		return w->failed.status == STATUS_OK;
	for (int i = TRACE_TABLE_COUNT; i < TRACE_TABLE_COUNT_ALL; i++) {
		if (!trace_writer_run(w, trace_table_sql[i]))
			return false;
	}
	w->has_devices = trace_writer_prepare(w, DEVICE_STATEMENTS, STATEMENT_COUNT);
	return w->has_devices;
}

bool trace_writer_step(struct trace_writer *w, enum trace_statement which, bool *found)
{
	errno = 0;
	CHECK(w->failed.status == STATUS_OK && w->in_transaction);
	int code = sqlite3_step(w->statements[which]);
	bool good = code == SQLITE_DONE || code == SQLITE_ROW ||
		    trace_writer_fail(w, code); /* before reset forgets errno */
	sqlite3_reset(w->statements[which]);
	sqlite3_clear_bindings(w->statements[which]);
	if (found)
		*found = code == SQLITE_ROW;
	return good;
}

void trace_writer_bind_u64(struct trace_writer *w, enum trace_statement which, int parameter, uint64_t value)
{
	sqlite3_bind_int64(w->statements[which], parameter, trace_sql_from_u64(value));
}

void trace_writer_bind_blob(struct trace_writer *w, enum trace_statement which, int parameter, const void *data,
			    size_t bytes)
{
	sqlite3_bind_blob64(w->statements[which], parameter, data, bytes, SQLITE_STATIC);
}

static bool put_blob(struct trace_writer *w, const uint8_t *hash, const void *data, size_t bytes)
{
	bool found = false;
	trace_writer_bind_blob(w, HAS_BLOB, 1, hash, TRACE_HASH_BYTES);
	if (!trace_writer_step(w, HAS_BLOB, &found) || found)
		return found;
	size_t stored_bytes = 0;
	uint8_t *stored = trace_compress(data, bytes, false, &stored_bytes);
	if (!stored)
		return error_set(&w->failed, STATUS_FAILED, "%s: no memory to compress %zu bytes", w->path, bytes);
	trace_writer_bind_blob(w, PUT_BLOB, 1, hash, TRACE_HASH_BYTES);
	trace_writer_bind_u64(w, PUT_BLOB, 2, bytes);
	trace_writer_bind_blob(w, PUT_BLOB, 3, stored, stored_bytes);
	bool good = trace_writer_step(w, PUT_BLOB, NULL);
	free(stored);
	return good;
}

bool trace_put_file(struct trace_writer *w, const char *name, const void *data, size_t bytes, struct error *error)
{
	if (w->failed.status == STATUS_OK && bytes > TRACE_FILE_BYTES_MAX)
		error_set(&w->failed, STATUS_FAILED, "%s: %s has %zu bytes; a trace holds files of up to %d", w->path,
			  name, bytes, TRACE_FILE_BYTES_MAX);
	if (w->failed.status == STATUS_OK && strlen(name) > TRACE_NAME_BYTES_MAX)
		error_set(&w->failed, STATUS_FAILED, "%s: a file's name has more than %d bytes", w->path,
			  TRACE_NAME_BYTES_MAX);
	if (trace_writer_begin(w)) {
		uint8_t hash[TRACE_HASH_BYTES];
		trace_blob_hash(data, bytes, hash);
		if (put_blob(w, hash, data, bytes)) {
			sqlite3_bind_text(w->statements[PUT_FILE], 1, name, -1, SQLITE_STATIC);
			trace_writer_bind_blob(w, PUT_FILE, 2, hash, TRACE_HASH_BYTES);
			trace_writer_step(w, PUT_FILE, NULL);
			w->unsealed = true;
		}
	}
	return trace_writer_report(w, error);
}

static bool text_put(struct trace_writer *w, const char *key, const char *text, struct error *error)
{
	if (w->failed.status == STATUS_OK && strlen(text) > TRACE_TEXT_BYTES_MAX)
		error_set(&w->failed, STATUS_FAILED, "%s: %s is a text of more than %d bytes", w->path, key,
			  TRACE_TEXT_BYTES_MAX);
	if (trace_writer_begin(w)) {
		sqlite3_bind_text(w->statements[PUT_META], 1, key, -1, SQLITE_STATIC);
		sqlite3_bind_text(w->statements[PUT_META], 2, text, -1, SQLITE_STATIC);
		trace_writer_step(w, PUT_META, NULL);
		w->unsealed = true;
	}
	return trace_writer_report(w, error);
}

static bool number_put(struct trace_writer *w, const char *key, uint64_t number, struct error *error)
{
	if (trace_writer_begin(w)) {
		sqlite3_bind_text(w->statements[PUT_META], 1, key, -1, SQLITE_STATIC);
		trace_writer_bind_u64(w, PUT_META, 2, number);
		trace_writer_step(w, PUT_META, NULL);
		w->unsealed = true;
	}
	return trace_writer_report(w, error);
}

bool trace_put_text(struct trace_writer *w, enum trace_meta_text key, const char *value, struct error *error)
{
	return text_put(w, trace_meta_text_key(key), value, error);
}

bool trace_put_u64(struct trace_writer *w, enum trace_meta_number key, uint64_t value, struct error *error)
{
	return number_put(w, trace_meta_number_key(key), value, error);
}

bool trace_put_meta(struct trace_writer *w, const char *key, const char *text, uint64_t number, struct error *error)
{
	return text ? text_put(w, key, text, error) : number_put(w, key, number, error);
}
