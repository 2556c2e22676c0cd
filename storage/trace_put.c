/* What trace_write.c is made of: the prepared statements, the sticky failure; and the puts of metadata and named files.
 */
#include "hv/error/check.h"
#include "storage/trace_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
