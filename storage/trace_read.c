/* The reader: metadata, named files and totals. The cursor over events is trace_cursor.c. Every value is checked for
 * its type and bounds before it is used or anything is allocated for it. */
#include "storage/trace_reader.h"
#include "storage/trace_format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

sqlite3_stmt *trace_reader_prepare(struct trace_reader *r, const char *sql, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(r->db, sql, -1, &statement, NULL);
	if (code != SQLITE_OK)
		trace_sql_error(r->db, r->path, "cannot read", code, error);
	return statement;
}

enum trace_found trace_reader_step(struct trace_reader *r, sqlite3_stmt *statement, struct error *error)
{
	errno = 0;
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		return TRACE_FOUND;
	if (code == SQLITE_DONE)
		return TRACE_ABSENT;
	trace_sql_error(r->db, r->path, "cannot read", code, error);
	return TRACE_FAILED;
}

/* Finds the one row for `name`; the caller finalizes *statement whatever comes. */
static enum trace_found find(struct trace_reader *r, const char *sql, const char *name, sqlite3_stmt **statement,
			     struct error *error)
{
	*statement = trace_reader_prepare(r, sql, error);
	if (!*statement)
		return TRACE_FAILED;
	int code = sqlite3_bind_text(*statement, 1, name, -1, SQLITE_STATIC);
	if (code != SQLITE_OK) {
		trace_sql_error(r->db, r->path, "cannot read", code, error);
		return TRACE_FAILED;
	}
	return trace_reader_step(r, *statement, error);
}

static enum trace_found meta_wrong(struct trace_reader *r, const char *key, const char *expected, struct error *error)
{
	error_set(error, STATUS_FAILED, "%s: is damaged: its '%s' is not %s; copy or record it again", r->path, key,
		  expected);
	return TRACE_FAILED;
}

enum trace_found trace_get_text(struct trace_reader *r, const char *key, char **value, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	enum trace_found found = find(r, "SELECT value FROM main.meta WHERE key = ?1", key, &statement, error);
	if (found == TRACE_FOUND) {
		const char *text = NULL;
		if (sqlite3_column_type(statement, 0) == SQLITE_TEXT &&
		    sqlite3_column_bytes(statement, 0) <= TRACE_TEXT_BYTES_MAX)
			text = (const char *)sqlite3_column_text(statement, 0);
		char *copy = text ? strdup(text) : NULL;
		if (copy)
			*value = copy;
		else
			found = meta_wrong(r, key, "a text", error);
	}
	sqlite3_finalize(statement);
	return found;
}

enum trace_found trace_get_u64(struct trace_reader *r, const char *key, uint64_t *value, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	enum trace_found found = find(r, "SELECT value FROM main.meta WHERE key = ?1", key, &statement, error);
	if (found == TRACE_FOUND) {
		if (sqlite3_column_type(statement, 0) == SQLITE_INTEGER)
			*value = trace_u64_from_sql(sqlite3_column_int64(statement, 0));
		else
			found = meta_wrong(r, key, "a number", error);
	}
	sqlite3_finalize(statement);
	return found;
}

/* The file of the row (hash, raw_bytes, data), or NULL if it is not what its hash says. */
static uint8_t *blob_unpack(sqlite3_stmt *statement, size_t *bytes)
{
	uint8_t hash[TRACE_HASH_BYTES];
	uint64_t raw_bytes = trace_u64_from_sql(sqlite3_column_int64(statement, 1));
	const void *expected = sqlite3_column_blob(statement, 0);
	if (sqlite3_column_bytes(statement, 0) != TRACE_HASH_BYTES || !expected)
		return NULL;
	const void *stored = sqlite3_column_blob(statement, 2);
	uint8_t *raw = trace_decompress(stored, (size_t)sqlite3_column_bytes(statement, 2), raw_bytes);
	if (!raw)
		return NULL;
	trace_blob_hash(raw, (size_t)raw_bytes, hash);
	if (memcmp(hash, expected, TRACE_HASH_BYTES) != 0) {
		free(raw);
		return NULL;
	}
	*bytes = (size_t)raw_bytes;
	return raw;
}

enum trace_found trace_get_file(struct trace_reader *r, const char *name, void **data, size_t *bytes,
				struct error *error)
{
	sqlite3_stmt *statement = NULL;
	enum trace_found found = find(r,
				      "SELECT file.hash, blob.raw_bytes, blob.data FROM main.file "
				      "LEFT JOIN main.blob ON blob.hash = file.hash WHERE file.name = ?1",
				      name, &statement, error);
	if (found == TRACE_FOUND) {
		uint8_t *raw = blob_unpack(statement, bytes);
		if (raw) {
			*data = raw;
		} else {
			error_set(error, STATUS_FAILED, "%s: is damaged: its file '%s'; copy or record it again",
				  r->path, name);
			found = TRACE_FAILED;
		}
	}
	sqlite3_finalize(statement);
	return found;
}

bool trace_is_complete(const struct trace_reader *r)
{
	return r->complete;
}

bool trace_get_totals(struct trace_reader *r, struct trace_totals *totals, struct error *error)
{
	static const char sql[] = "SELECT ifnull((SELECT first_event + event_count FROM main.chunk ORDER BY "
				  "first_event DESC LIMIT 1), 0), "
				  "(SELECT count(*) FROM main.chunk), "
				  "ifnull((SELECT last_n FROM main.chunk ORDER BY first_event DESC LIMIT 1), 0), "
				  "(SELECT ifnull(sum(raw_bytes), 0) FROM main.chunk), (SELECT "
				  "ifnull(sum(length(data)), 0) FROM main.chunk), "
				  "(SELECT count(*) FROM main.file), "
				  "(SELECT ifnull(sum(raw_bytes), 0) FROM main.blob), (SELECT "
				  "ifnull(sum(length(data)), 0) FROM main.blob)";
	uint64_t *const fields[] = {&totals->event_count,    &totals->chunk_count,      &totals->last_n,
				    &totals->raw_bytes,      &totals->stored_bytes,     &totals->file_count,
				    &totals->blob_raw_bytes, &totals->blob_stored_bytes};
	sqlite3_stmt *statement = trace_reader_prepare(r, sql, error);
	bool good = statement && trace_reader_step(r, statement, error) == TRACE_FOUND;
	for (int i = 0; good && i < (int)(sizeof(fields) / sizeof(fields[0])); i++) {
		*fields[i] = trace_u64_from_sql(sqlite3_column_int64(statement, i));
		if (sqlite3_column_type(statement, i) != SQLITE_INTEGER)
			good = error_set(error, STATUS_FAILED,
					 "%s: is damaged: its tables hold no numbers; copy or record it again",
					 r->path);
	}
	sqlite3_finalize(statement);
	return good;
}

/* A complete trace says how many events it has: fewer means that its end is lost. */
static bool check_complete(struct trace_reader *r, struct error *error)
{
	uint64_t value = 0;
	struct trace_totals totals;
	enum trace_found found = trace_get_u64(r, "complete", &value, error);
	r->complete = found == TRACE_FOUND && value == 1;
	if (found == TRACE_FAILED || !r->complete)
		return found != TRACE_FAILED;
	value = 0;
	found = trace_get_u64(r, "events", &value, error);
	if (found == TRACE_FAILED || !trace_get_totals(r, &totals, error))
		return false;
	if (found == TRACE_ABSENT || totals.event_count != value)
		return error_set(error, STATUS_FAILED,
				 "%s: is damaged: it has %llu of %llu events; copy or record it again", r->path,
				 (unsigned long long)totals.event_count, (unsigned long long)value);
	return true;
}

/* Makes a reader of `db`, which is closed with it unless it is borrowed; also if this fails. */
static struct trace_reader *reader_new(sqlite3 *db, bool borrowed, const char *path, struct error *error)
{
	struct trace_reader *r = calloc(1, sizeof(*r));
	char *copy = strdup(path);
	if (r && copy) {
		*r = (struct trace_reader){.db = db, .borrowed = borrowed, .path = copy};
		if (check_complete(r, error))
			return r;
		trace_close(r);
		return NULL;
	}
	free(r);
	free(copy);
	if (!borrowed)
		sqlite3_close(db);
	error_set(error, STATUS_FAILED, "%s: no memory", path);
	return NULL;
}

struct trace_reader *trace_open(const char *path, struct error *error)
{
	sqlite3 *db = trace_db_open(path, error);
	return db ? reader_new(db, false, path, error) : NULL;
}

struct trace_reader *trace_reader_borrow(sqlite3 *db, struct error *error)
{
	const char *path;
	return trace_db_check(db, &path, error) ? reader_new(db, true, path, error) : NULL;
}

void trace_close(struct trace_reader *r)
{
	if (!r)
		return;
	if (!r->borrowed)
		sqlite3_close(r->db);
	free(r->path);
	free(r);
}

uint64_t trace_chunks_read(const struct trace_reader *r)
{
	return r->chunks_read;
}

bool trace_each_file(struct trace_reader *r, trace_file_fn *each, void *context, struct error *error)
{
	sqlite3_stmt *statement = trace_reader_prepare(r, "SELECT name FROM main.file ORDER BY name", error);
	enum trace_found found = statement ? trace_reader_step(r, statement, error) : TRACE_FAILED;
	while (found == TRACE_FOUND) {
		const char *name = (const char *)sqlite3_column_text(statement, 0);
		if (!name || !each(name, context, error))
			break;
		found = trace_reader_step(r, statement, error);
	}
	sqlite3_finalize(statement);
	return found == TRACE_ABSENT;
}
