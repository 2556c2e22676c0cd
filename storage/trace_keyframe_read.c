/* Keyframes from the trace: rows, states, page groups. Every number is checked before it is used: a damaged keyframe is
 * an error here, and nothing outside the page that it names. */
#include "storage/bytes.h"
#include "storage/trace_format.h"
#include "storage/trace_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* No RAM is larger than 2^32 pages; a list of more is damage. */
#define PAGE_INDEX_MAX UINT64_C(0xffffffff)

static bool damaged(const struct trace_reader *r, uint64_t n, const char *what, struct error *error)
{
	return error_set(error, STATUS_FAILED,
			 "%s: is damaged: its keyframe at n %llu: %s; copy it again, or try hvrec repair", r->path,
			 (unsigned long long)n, what);
}

static bool no_memory(const struct trace_reader *r, struct error *error)
{
	return error_set(error, STATUS_FAILED, "%s: no memory", r->path);
}

static bool group_damaged(const struct trace_reader *r, uint64_t id, const char *what, struct error *error)
{
	return error_set(error, STATUS_FAILED,
			 "%s: is damaged: its page group %llu: %s; copy it again, or try hvrec repair", r->path,
			 (unsigned long long)id, what);
}

/* The leading columns as numbers. False: one is none. */
static bool numbers_get(sqlite3_stmt *row, int first, uint64_t *const *fields, int count)
{
	for (int i = 0; i < count; i++) {
		if (sqlite3_column_type(row, first + i) != SQLITE_INTEGER)
			return false;
		*fields[i] = trace_u64_from_sql(sqlite3_column_int64(row, first + i));
	}
	return true;
}

static struct trace_bytes blob_get(sqlite3_stmt *row, int column)
{
	if (sqlite3_column_type(row, column) != SQLITE_BLOB)
		return (struct trace_bytes){NULL, 0};
	const void *data = sqlite3_column_blob(row, column);
	return (struct trace_bytes){data ? data : "", (size_t)sqlite3_column_bytes(row, column)};
}

static sqlite3_stmt *prepare_with(struct trace_reader *r, const char *sql, uint64_t parameter, struct error *error)
{
	sqlite3_stmt *statement = trace_reader_prepare(r, sql, error);
	if (statement)
		sqlite3_bind_int64(statement, 1, trace_sql_from_u64(parameter));
	return statement;
}

static bool keyframe_add(struct trace_keyframe **keyframes, size_t *count, const struct trace_keyframe *keyframe)
{
	if ((*count & (*count - 1)) == 0) { /* full at each power of two */
		struct trace_keyframe *larger =
			realloc(*keyframes, (*count == 0 ? 1 : *count * 2) * sizeof(**keyframes));
		if (!larger)
			return false;
		*keyframes = larger;
	}
	(*keyframes)[(*count)++] = *keyframe;
	return true;
}

/* Whether the row, after the `count` keyframes that are known, can be one. sqlite's order is that of signed numbers.
 */
static bool keyframe_possible(struct trace_reader *r, const struct trace_keyframe *known, size_t count,
			      const struct trace_keyframe *row, struct error *error)
{
	struct trace_keyframe before = count > 0 ? known[count - 1] : (struct trace_keyframe){0};
	uint64_t first_group = before.first_group + before.group_count;
	if (row->n > INT64_MAX || row->n <= before.n)
		return damaged(r, row->n, "that is no position", error);
	if (row->next_event > INT64_MAX || row->next_event < before.next_event)
		return damaged(r, row->n, "its events go back", error);
	if (row->first_group > INT64_MAX || row->group_count > INT64_MAX - row->first_group)
		return damaged(r, row->n, "it has impossible page groups", error);
	if (row->first_group != first_group && (count > 0 || r->start_n == 0))
		return damaged(r, row->n, "its page groups do not follow those before", error);
	return true;
}

/* Keyframes whose events were not committed any more are left out. The one that the trace starts at needs none. */
bool trace_get_keyframes(struct trace_reader *r, struct trace_keyframe **keyframes, size_t *count, struct error *error)
{
	*keyframes = NULL;
	*count = 0;
	uint64_t event_count = 0, last_n = 0;
	if (r->version < 2)
		return true;
	if (!trace_get_end(r, &event_count, &last_n, error))
		return false;
	sqlite3_stmt *row =
		trace_reader_prepare(r,
				     "SELECT n, next_event, first_group, group_count FROM main.keyframe WHERE "
				     "n = ?1 OR next_event <= ?2 ORDER BY n",
				     error);
	if (row) {
		sqlite3_bind_int64(row, 1, trace_sql_from_u64(r->start_n));
		sqlite3_bind_int64(row, 2, trace_sql_from_u64(event_count));
	}
	enum trace_found found = row ? trace_reader_step(r, row, error) : TRACE_FAILED;
	while (found == TRACE_FOUND) {
		struct trace_keyframe keyframe = {0};
		uint64_t *const fields[] = {&keyframe.n, &keyframe.next_event, &keyframe.first_group,
					    &keyframe.group_count};
		bool good = numbers_get(row, 0, fields, 4) || damaged(r, 0, "its row holds no numbers", error);
		good = good && keyframe_possible(r, *keyframes, *count, &keyframe, error);
		if (!good || !keyframe_add(keyframes, count, &keyframe)) {
			found = TRACE_FAILED;
			break;
		}
		found = trace_reader_step(r, row, error);
	}
	sqlite3_finalize(row);
	if (found == TRACE_ABSENT)
		return true;
	free(*keyframes);
	*keyframes = NULL;
	return no_memory(r, error);
}

/* The page indexes of `same`. */
static bool same_decode(struct trace_bytes bytes, uint64_t **same, size_t *count)
{
	struct cursor cursor = {.at = bytes.data, .end = (const uint8_t *)bytes.data + bytes.count};
	uint64_t next = 0;
	*count = 0;
	*same = malloc((bytes.count + 1) * sizeof(**same)); /* each takes a byte or more */
	while (*same && cursor.at < cursor.end) {
		uint64_t index = next + cursor_get_varint(&cursor);
		if (cursor.failed || index < next || index > PAGE_INDEX_MAX)
			return false;
		(*same)[(*count)++] = index;
		next = index + 1;
	}
	return *same != NULL;
}

/* What a keyframe's row holds besides what struct trace_keyframe has. */
struct row {
	sqlite3_stmt *statement; /* keeps the bytes */
	uint64_t state_bytes;
	struct trace_bytes state, same; /* state is compressed */
};

/* Reads it and compares its checksum. The caller finalizes the statement, in any case. */
static bool row_get(struct trace_reader *r, const struct trace_keyframe *keyframe, struct row *row, struct error *error)
{
	uint64_t checksum = 0;
	uint64_t *const fields[] = {&row->state_bytes, &checksum};
	row->statement = prepare_with(r, "SELECT state_bytes, checksum, state, same FROM main.keyframe WHERE n = ?1",
				      keyframe->n, error);
	enum trace_found found = row->statement ? trace_reader_step(r, row->statement, error) : TRACE_FAILED;
	if (found == TRACE_ABSENT)
		return damaged(r, keyframe->n, "it is missing", error);
	if (found != TRACE_FOUND)
		return false;
	row->state = blob_get(row->statement, 2);
	row->same = blob_get(row->statement, 3);
	if (!numbers_get(row->statement, 0, fields, 2) || !row->state.data || !row->same.data)
		return damaged(r, keyframe->n, "its row has other types", error);
	return trace_keyframe_checksum(keyframe, row->state_bytes, row->state, row->same) == checksum ||
	       damaged(r, keyframe->n, "a checksum does not match", error);
}

bool trace_get_keyframe_state(struct trace_reader *r, const struct trace_keyframe *keyframe, void *state,
			      size_t state_bytes, struct error *error)
{
	struct row row = {0};
	bool good = row_get(r, keyframe, &row, error);
	if (good && row.state_bytes != state_bytes)
		good = damaged(r, keyframe->n, "its state has another size", error);
	uint8_t *raw = good ? trace_decompress(row.state.data, row.state.count, state_bytes) : NULL;
	if (raw)
		memcpy(state, raw, state_bytes);
	else if (good)
		good = errno == ENOMEM ? no_memory(r, error)
				       : damaged(r, keyframe->n, "its state cannot be decompressed", error);
	free(raw);
	sqlite3_finalize(row.statement);
	return good;
}

bool trace_get_keyframe_same(struct trace_reader *r, const struct trace_keyframe *keyframe, uint64_t **same,
			     size_t *count, struct error *error)
{
	struct row row = {0};
	*same = NULL;
	bool good = row_get(r, keyframe, &row, error);
	if (good && !same_decode(row.same, same, count)) {
		good = *same ? damaged(r, keyframe->n, "its page list is no list", error) : no_memory(r, error);
		free(*same);
		*same = NULL;
	}
	sqlite3_finalize(row.statement);
	return good;
}

bool trace_get_groups(struct trace_reader *r, uint64_t end, uint64_t **ids, size_t *count, struct error *error)
{
	sqlite3_stmt *row = prepare_with(r, "SELECT id FROM main.page_group WHERE id < ?1 ORDER BY id", end, error);
	enum trace_found found = row ? trace_reader_step(r, row, error) : TRACE_FAILED;
	*ids = NULL;
	*count = 0;
	for (; found == TRACE_FOUND; found = trace_reader_step(r, row, error)) {
		if ((*count & (*count - 1)) == 0) { /* full at each power of two */
			uint64_t *larger = realloc(*ids, (*count == 0 ? 1 : *count * 2) * sizeof(**ids));
			if (!larger)
				break;
			*ids = larger;
		}
		(*ids)[(*count)++] = trace_u64_from_sql(sqlite3_column_int64(row, 0));
		if ((*ids)[*count - 1] > INT64_MAX) {
			group_damaged(r, (*ids)[*count - 1], "that is no number of one", error);
			break;
		}
	}
	sqlite3_finalize(row);
	if (found == TRACE_ABSENT)
		return true;
	free(*ids);
	*ids = NULL;
	return no_memory(r, error);
}

/* The row's page count and the blob in `column`, which `checksum_column` vouches for; 0: damaged. */
static size_t group_blob(struct trace_reader *r, sqlite3_stmt *row, uint64_t id, struct trace_bytes *blob,
			 struct error *error)
{
	uint64_t page_count = 0, checksum = 0;
	uint64_t *const fields[] = {&page_count, &checksum};
	*blob = blob_get(row, 2);
	if (!numbers_get(row, 0, fields, 2) || !blob->data || page_count < 1 || page_count > TRACE_GROUP_PAGES_MAX)
		return group_damaged(r, id, "its row is none", error);
	if (trace_group_checksum(id, page_count, *blob) != checksum)
		return group_damaged(r, id, "a checksum does not match", error);
	return (size_t)page_count;
}

size_t trace_get_group_indexes(struct trace_reader *r, uint64_t id, uint64_t indexes[TRACE_GROUP_PAGES_MAX],
			       struct error *error)
{
	struct trace_bytes blob;
	sqlite3_stmt *row = prepare_with(
		r, "SELECT page_count, indexes_checksum, indexes FROM main.page_group WHERE id = ?1", id, error);
	enum trace_found found = row ? trace_reader_step(r, row, error) : TRACE_FAILED;
	size_t count = found == TRACE_FOUND ? group_blob(r, row, id, &blob, error) : 0;
	if (found == TRACE_ABSENT)
		group_damaged(r, id, "it is missing", error);
	if (count > 0 && blob.count != count * 4)
		count = group_damaged(r, id, "its page list is no list", error);
	struct cursor cursor = {.at = count > 0 ? blob.data : NULL};
	cursor.end = cursor.at + (count > 0 ? blob.count : 0);
	for (size_t i = 0; i < count; i++)
		indexes[i] = cursor_get_u32(&cursor);
	sqlite3_finalize(row);
	return count;
}

bool trace_get_group(struct trace_reader *r, uint64_t id, uint8_t pages[TRACE_GROUP_PAGES_MAX * TRACE_PAGE_BYTES],
		     struct error *error)
{
	struct trace_bytes blob;
	sqlite3_stmt *row =
		prepare_with(r, "SELECT page_count, data_checksum, data FROM main.page_group WHERE id = ?1", id, error);
	enum trace_found found = row ? trace_reader_step(r, row, error) : TRACE_FAILED;
	size_t count = found == TRACE_FOUND ? group_blob(r, row, id, &blob, error) : 0;
	if (found == TRACE_ABSENT)
		group_damaged(r, id, "it is missing", error);
	size_t raw_bytes = count * TRACE_PAGE_BYTES;
	uint8_t *raw = count > 0 ? trace_pages_decompress(blob.data, blob.count, raw_bytes) : NULL;
	if (raw)
		memcpy(pages, raw, raw_bytes);
	else if (count > 0)
		count = errno == ENOMEM ? no_memory(r, error)
					: group_damaged(r, id, "it cannot be decompressed", error);
	free(raw);
	sqlite3_finalize(row);
	return count > 0;
}
