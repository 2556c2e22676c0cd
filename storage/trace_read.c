/* The reader: metadata, named files and totals. The cursor over events is trace_cursor.c. Every value is checked for
 * its type and bounds before it is used or anything is allocated for it. */
#include "storage/trace_reader.h"
#include "storage/trace_format.h"
#include "storage/trace_limit.h"

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
	trace_limit_set(r->db);
	int code = sqlite3_step(statement);
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

static enum trace_found meta_wrong(struct trace_reader *r, const char *key, const char *expected, struct error *error)
{
	error_set(error, STATUS_FAILED, "%s: is damaged: its '%s' is not %s; copy it again, or try hvrec repair",
		  r->path, key, expected);
	return TRACE_FAILED;
}

enum trace_found trace_get_text(struct trace_reader *r, const char *key, char **value, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	enum trace_found found = find(r, "SELECT value FROM meta WHERE key = ?1", key, &statement, error);
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
	enum trace_found found = find(r, "SELECT value FROM meta WHERE key = ?1", key, &statement, error);
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
				      "SELECT file.hash, blob.raw_bytes, blob.data FROM file "
				      "LEFT JOIN blob ON blob.hash = file.hash WHERE file.name = ?1",
				      name, &statement, error);
	if (found == TRACE_FOUND) {
		uint8_t *raw = blob_unpack(statement, bytes);
		if (raw) {
			*data = raw;
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

static bool no_numbers(struct trace_reader *r, struct error *error)
{
	return error_set(error, STATUS_FAILED,
			 "%s: is damaged: its tables hold no numbers; copy it again, or try hvrec repair", r->path);
}

bool trace_reader_event_count(struct trace_reader *r, uint64_t *event_count, struct error *error)
{
	sqlite3_stmt *statement = trace_reader_prepare(
		r, "SELECT first_event + event_count FROM chunk ORDER BY first_event DESC LIMIT 1", error);
	enum trace_found found = statement ? trace_reader_step(r, statement, error) : TRACE_FAILED;
	if (found == TRACE_FOUND && sqlite3_column_type(statement, 0) != SQLITE_INTEGER)
		no_numbers(r, error);
	*event_count = found == TRACE_FOUND ? trace_u64_from_sql(sqlite3_column_int64(statement, 0)) : 0;
	sqlite3_finalize(statement);
	return error->status == STATUS_OK;
}

bool trace_get_totals(struct trace_reader *r, struct trace_totals *totals, struct error *error)
{
	/* count(*) would be one operation of sqlite's, which trace_limit.h cannot bound */
	static const char *const keyframe_sql[] = {
		"0, 0, 0", "(SELECT count(n) FROM keyframe), (SELECT ifnull(sum(page_count), 0) FROM page_group), "
			   "(SELECT ifnull(sum(length(data)), 0) FROM page_group)"};
	static const char sql[] =
		"SELECT ifnull((SELECT first_event + event_count FROM chunk ORDER BY first_event DESC LIMIT 1), 0), "
		"(SELECT count(first_event) FROM chunk), "
		"ifnull((SELECT last_n FROM chunk ORDER BY first_event DESC LIMIT 1), 0), "
		"(SELECT ifnull(sum(raw_bytes), 0) FROM chunk), (SELECT ifnull(sum(length(data)), 0) FROM chunk), "
		"(SELECT count(name) FROM file), "
		"(SELECT ifnull(sum(raw_bytes), 0) FROM blob), (SELECT ifnull(sum(length(data)), 0) FROM blob), %s";
	uint64_t *const fields[] = {&totals->event_count,    &totals->chunk_count,       &totals->last_n,
				    &totals->raw_bytes,      &totals->stored_bytes,      &totals->file_count,
				    &totals->blob_raw_bytes, &totals->blob_stored_bytes, &totals->keyframe_count,
				    &totals->page_count,     &totals->page_stored_bytes};
	char *text = sqlite3_mprintf(sql, keyframe_sql[r->version >= 2]);
	sqlite3_stmt *statement = text ? trace_reader_prepare(r, text, error) : NULL;
	sqlite3_free(text);
	bool good = statement && trace_reader_step(r, statement, error) == TRACE_FOUND;
	for (int i = 0; good && i < (int)(sizeof(fields) / sizeof(fields[0])); i++) {
		*fields[i] = trace_u64_from_sql(sqlite3_column_int64(statement, i));
		if (sqlite3_column_type(statement, i) != SQLITE_INTEGER)
			good = no_numbers(r, error);
	}
	sqlite3_finalize(statement);
	return good;
}

bool trace_get_bytes(struct trace_reader *r, uint64_t *bytes, struct error *error)
{
	sqlite3_stmt *statement = trace_reader_prepare(
		r, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", error);
	bool good = statement && trace_reader_step(r, statement, error) == TRACE_FOUND;
	if (good)
		*bytes = trace_u64_from_sql(sqlite3_column_int64(statement, 0));
	sqlite3_finalize(statement);
	return good;
}

/* A complete trace says how many events it has: fewer means that its end is lost. */
static bool check_complete(struct trace_reader *r, struct error *error)
{
	uint64_t value = 0;
	uint64_t event_count = 0;
	enum trace_found found = trace_get_u64(r, "complete", &value, error);
	r->complete = found == TRACE_FOUND && value == 1;
	if (found == TRACE_FAILED || !r->complete)
		return found != TRACE_FAILED;
	value = 0;
	found = trace_get_u64(r, "events", &value, error);
	if (found == TRACE_FAILED || !trace_reader_event_count(r, &event_count, error))
		return false;
	if (found == TRACE_ABSENT || event_count != value)
		return error_set(error, STATUS_FAILED,
				 "%s: is damaged: it has %llu of %llu events; copy it again, or try hvrec repair",
				 r->path, (unsigned long long)event_count, (unsigned long long)value);
	return true;
}

/* A trace whose beginning was forgotten starts at a keyframe, which must be there. */
static bool find_start(struct trace_reader *r, struct error *error)
{
	struct trace_keyframe *keyframes = NULL;
	size_t count = 0, i = 0;
	enum trace_found found = trace_get_u64(r, "start_n", &r->start_n, error);
	if (found != TRACE_FOUND)
		return found == TRACE_ABSENT;
	if (!trace_get_keyframes(r, &keyframes, &count, error))
		return false;
	while (i < count && keyframes[i].n != r->start_n)
		i++;
	if (i < count)
		r->first_event = keyframes[i].next_event;
	free(keyframes);
	return i < count ||
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

struct trace_reader *trace_open(const char *path, struct error *error)
{
	struct trace_reader *r = calloc(1, sizeof(*r));
	char *copy = strdup(path);
	if (!r || !copy) {
		free(r);
		free(copy);
		error_set(error, STATUS_FAILED, "%s: no memory", path);
		return NULL;
	}
	r->path = copy;
	r->db = trace_db_open(path, &r->version, error);
	if (r->db && find_start(r, error) && check_complete(r, error))
		return r;
	trace_close(r);
	return NULL;
}

void trace_close(struct trace_reader *r)
{
	if (!r)
		return;
	sqlite3_close(r->db);
	free(r->path);
	free(r);
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
	sqlite3_stmt *statement = trace_reader_prepare(r, "SELECT key, value FROM meta ORDER BY key", error);
	enum trace_found found = statement ? trace_reader_step(r, statement, error) : TRACE_FAILED;
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
	sqlite3_stmt *statement = trace_reader_prepare(r, "SELECT name FROM file ORDER BY name", error);
	bool good = statement && names_take(r, statement, &list, error);
	sqlite3_finalize(statement);
	for (size_t i = 0; i < list.count; i++) {
		good = good && each(list.names[i], context, error);
		free(list.names[i]);
	}
	free(list.names);
	return good;
}
