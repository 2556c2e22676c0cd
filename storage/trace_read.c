/* The reader: metadata, named files and totals. The cursor over events is trace_cursor.c. Every value is checked for
 * its type and bounds before it is used or anything is allocated for it. */
#include "storage/trace_block_read.h"
#include "storage/trace_format.h"
#include "storage/trace_limit.h"
#include "storage/trace_payload_read.h"
#include "storage/trace_reader.h"
#include "storage/trace_seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SEAL_READINGS_MAX = 5 };

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
	if (!r->borrowed) /* the limit is a progress handler, of which a connection has one */
		trace_limit_set(r->db);
	int code = sqlite3_step(statement);
	if (!r->borrowed)
		trace_limit_clear(r->db);
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

static enum trace_found meta_find(struct trace_reader *r, const char *key, sqlite3_stmt **statement,
				  struct error *error)
{
	return find(r, "SELECT value FROM main.meta WHERE key = ?1", key, statement, error);
}

static enum trace_found meta_wrong(struct trace_reader *r, const char *key, const char *expected, struct error *error)
{
	error_set(error, STATUS_FAILED, "%s: is damaged: its '%s' is not %s; copy it again, or try hvrec repair",
		  r->path, key, expected);
	return TRACE_FAILED;
}

static enum trace_found no_memory(struct trace_reader *r, struct error *error)
{
	error_set(error, STATUS_FAILED, "%s: no memory", r->path);
	return TRACE_FAILED;
}

enum trace_found trace_get_text(struct trace_reader *r, enum trace_meta_text key, char **value, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	enum trace_found found = meta_find(r, trace_meta_text_key(key), &statement, error);
	if (found == TRACE_FOUND) {
		bool good = sqlite3_column_type(statement, 0) == SQLITE_TEXT &&
			    sqlite3_column_bytes(statement, 0) <= TRACE_TEXT_BYTES_MAX;
		const char *text = good ? (const char *)sqlite3_column_text(statement, 0) : NULL;
		char *copy = text ? strdup(text) : NULL;
		if (copy)
			*value = copy;
		else
			found = good ? no_memory(r, error) : meta_wrong(r, trace_meta_text_key(key), "a text", error);
	}
	sqlite3_finalize(statement);
	return found;
}

enum trace_found trace_get_u64(struct trace_reader *r, enum trace_meta_number key, uint64_t *value, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	enum trace_found found = meta_find(r, trace_meta_number_key(key), &statement, error);
	if (found == TRACE_FOUND) {
		if (sqlite3_column_type(statement, 0) == SQLITE_INTEGER)
			*value = trace_u64_from_sql(sqlite3_column_int64(statement, 0));
		else
			found = meta_wrong(r, trace_meta_number_key(key), "a number", error);
	}
	sqlite3_finalize(statement);
	return found;
}

/* The file of the row (hash, raw_bytes, data). NULL: errno is ENOMEM, or it is not what its hash says. */
static uint8_t *blob_unpack(sqlite3_stmt *statement, size_t *bytes)
{
	uint8_t hash[TRACE_HASH_BYTES];
	uint64_t raw_bytes = trace_u64_from_sql(sqlite3_column_int64(statement, 1));
	const void *expected = sqlite3_column_blob(statement, 0);
	errno = 0;
	if (sqlite3_column_bytes(statement, 0) != TRACE_HASH_BYTES || !expected)
		return NULL;
	const void *stored = sqlite3_column_blob(statement, 2);
	uint8_t *raw = trace_decompress(stored, (size_t)sqlite3_column_bytes(statement, 2), raw_bytes);
	if (!raw)
		return NULL;
	trace_blob_hash(raw, (size_t)raw_bytes, hash);
	if (memcmp(hash, expected, TRACE_HASH_BYTES) != 0) {
		free(raw);
		errno = 0;
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
		} else if (errno == ENOMEM) {
			found = no_memory(r, error);
		} else {
			error_set(error, STATUS_FAILED,
				  "%s: is damaged: its file '%s'; copy it again, or try hvrec repair", r->path, name);
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

/* A complete trace says how many events it has: fewer means that its end is lost. */
static bool check_complete(struct trace_reader *r, struct error *error)
{
	uint64_t value = 0;
	uint64_t event_count, last_n;
	enum trace_found found = trace_get_u64(r, TRACE_META_COMPLETE, &value, error);
	r->complete = found == TRACE_FOUND && value == 1;
	if (found == TRACE_FAILED || !r->complete)
		return found != TRACE_FAILED;
	value = 0;
	found = trace_get_u64(r, TRACE_META_EVENTS, &value, error);
	if (found == TRACE_FAILED || !trace_get_end(r, &event_count, &last_n, error))
		return false;
	if (found == TRACE_ABSENT || event_count != value)
		return error_set(error, STATUS_FAILED,
				 "%s: is damaged: it has %llu of %llu events; copy it again, or try hvrec repair",
				 r->path, (unsigned long long)event_count, (unsigned long long)value);
	return true;
}

/* A trace whose beginning was forgotten starts at a keyframe, which must be its first. */
static bool find_start(struct trace_reader *r, struct error *error)
{
	struct trace_keyframe *keyframes = NULL;
	size_t count = 0;
	enum trace_found found = trace_get_u64(r, TRACE_META_START_N, &r->start_n, error);
	if (found != TRACE_FOUND)
		return found == TRACE_ABSENT;
	if (!trace_get_keyframes(r, &keyframes, &count, error))
		return false;
	bool there = count > 0 && keyframes[0].n == r->start_n;
	r->first_event = there ? keyframes[0].next_event : 0;
	free(keyframes);
	return there ||
	       error_set(error, STATUS_FAILED,
			 "%s: is damaged: the keyframe that it starts at is missing; copy or record it again", r->path);
}

uint64_t trace_start_n(const struct trace_reader *r)
{
	return r->start_n;
}

uint64_t trace_first_event(const struct trace_reader *r)
{
	return r->first_event;
}

/* A recorder may commit between the two statements of a reading, but not again and again. */
static bool check_seal(struct trace_reader *r, struct error *error)
{
	for (int reading = 0; r->version >= 3 && reading < SEAL_READINGS_MAX; reading++) {
		struct trace_seal seal;
		int code = trace_seal_read(r->db, !r->borrowed, &seal);
		if (code != SQLITE_OK)
			return trace_sql_error(r->db, r->path, "cannot read", code, error);
		if (trace_seal_holds(&seal))
			return true;
	}
	return r->version < 3 || error_set(error, STATUS_FAILED,
					   "%s: is damaged: its metadata; copy it again, or try hvrec repair", r->path);
}

/* Makes a reader of `db`, which is closed with it unless it is borrowed; also if this fails. */
static struct trace_reader *reader_new(sqlite3 *db, bool borrowed, const char *path, int version, struct error *error)
{
	struct trace_reader *r = calloc(1, sizeof(*r));
	char *copy = strdup(path);
	if (r && copy) {
		*r = (struct trace_reader){.db = db, .borrowed = borrowed, .path = copy, .version = version};
		if (check_seal(r, error) && find_start(r, error) && check_complete(r, error))
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
	int version;
	sqlite3 *db = trace_db_open(path, &version, error);
	return db ? reader_new(db, false, path, version, error) : NULL;
}

struct trace_reader *trace_reader_borrow(sqlite3 *db, struct error *error)
{
	const char *path;
	int version;
	return trace_db_check(db, &path, &version, error) ? reader_new(db, true, path, version, error) : NULL;
}

void trace_close(struct trace_reader *r)
{
	if (!r)
		return;
	trace_blocks_free(r->blocks);
	trace_payload_row_free(r->payload_row);
	if (!r->borrowed)
		sqlite3_close(r->db);
	free(r->path);
	free(r);
}

uint64_t trace_chunks_read(const struct trace_reader *r)
{
	return r->chunks_read;
}

struct names {
	char **names; /* each malloc'd */
	size_t count, room;
};

static bool names_add(struct names *list, const char *name)
{
	if (list->count == list->room) {
		char **names = realloc(list->names, (list->room * 2 + 16) * sizeof(*names));
		if (!names)
			return false;
		list->names = names;
		list->room = list->room * 2 + 16;
	}
	list->names[list->count] = strdup(name);
	return list->names[list->count] && ++list->count;
}

/* A damaged table may lead back into itself: its names do not grow any more then. */
static bool names_take(struct trace_reader *r, sqlite3_stmt *statement, struct names *list, struct error *error)
{
	enum trace_found found;
	while ((found = trace_reader_step(r, statement, error)) == TRACE_FOUND) {
		const char *last = list->count > 0 ? list->names[list->count - 1] : NULL;
		const char *name = NULL;
		if (sqlite3_column_type(statement, 0) == SQLITE_TEXT &&
		    sqlite3_column_bytes(statement, 0) <= TRACE_NAME_BYTES_MAX)
			name = (const char *)sqlite3_column_text(statement, 0);
		if (!name || (last && strcmp(last, name) >= 0))
			return error_set(error, STATUS_FAILED,
					 "%s: is damaged: its list of files; copy it again, or try hvrec repair",
					 r->path);
		if (!names_add(list, name))
			return error_set(error, STATUS_FAILED, "%s: no memory", r->path);
	}
	return found == TRACE_ABSENT;
}

bool trace_each_meta(struct trace_reader *r, trace_meta_fn *each, void *context, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	enum trace_found found = find(r, "SELECT key, value FROM main.meta WHERE key <> ?1 ORDER BY key",
				      trace_meta_number_key(TRACE_META_CHECKSUM), &statement, error);
	while (found == TRACE_FOUND) {
		const char *key = (const char *)sqlite3_column_text(statement, 0);
		bool number = sqlite3_column_type(statement, 1) == SQLITE_INTEGER;
		const char *text = number ? NULL : (const char *)sqlite3_column_text(statement, 1);
		if (!key || (!number && !text))
			meta_wrong(r, key ? key : "metadata", "a text or a number", error);
		else if (each(key, text, number ? trace_u64_from_sql(sqlite3_column_int64(statement, 1)) : 0, context,
			      error))
			found = trace_reader_step(r, statement, error);
		if (error->status != STATUS_OK)
			break;
	}
	sqlite3_finalize(statement);
	return found == TRACE_ABSENT;
}

/* All names first: an open cursor of sqlite's on a damaged table takes, when another query fails, as much memory as the
 * damaged row says to have. */
bool trace_each_file(struct trace_reader *r, trace_file_fn *each, void *context, struct error *error)
{
	struct names list = {0};
	sqlite3_stmt *statement = trace_reader_prepare(r, "SELECT name FROM main.file ORDER BY name", error);
	bool good = statement && names_take(r, statement, &list, error);
	sqlite3_finalize(statement);
	for (size_t i = 0; i < list.count; i++) {
		good = good && each(list.names[i], context, error);
		free(list.names[i]);
	}
	free(list.names);
	return good;
}
