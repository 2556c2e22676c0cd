/* Forgetting the beginning of a trace, so that it starts at a keyframe: for recordings that keep only their last part.
 *
 * Of the page groups before that keyframe those stay that still hold the newest version of some page. Which these are
 * is kept from call to call, so each group is looked at once. */
#include "storage/bytes.h"
#include "storage/trace_writer.h"

#include <stdlib.h>
#include <string.h>

static bool no_memory(struct trace_writer *w)
{
	return error_set(&w->failed, STATUS_FAILED, "%s: no memory", w->path);
}

/* Room for `count` entries of `bytes` each, the new ones zero. */
static bool room(void **data, uint64_t *have, uint64_t count, size_t bytes)
{
	if (count <= *have)
		return true;
	uint64_t larger = count + count / 2;
	void *grown = realloc(*data, larger * bytes);
	if (!grown)
		return false;
	memset((uint8_t *)grown + *have * bytes, 0, (larger - *have) * bytes);
	*data = grown;
	*have = larger;
	return true;
}

static bool group_drop(struct trace_writer *w, uint64_t id)
{
	trace_writer_bind_u64(w, DROP_GROUP, 1, id);
	return trace_writer_step(w, DROP_GROUP, NULL);
}

/* Takes in group `id`, whose pages are newer than all before; drops the groups that have no newest page left. */
static bool group_take(struct trace_writer *w, uint64_t id, struct cursor indexes)
{
	struct trace_live *live = &w->live;
	if (!room((void **)&live->pages, &live->group_count, id + 1, sizeof(*live->pages)))
		return no_memory(w);
	while (indexes.at < indexes.end) {
		uint64_t page = cursor_get_u32(&indexes);
		if (!room((void **)&live->group, &live->page_count, page + 1, sizeof(*live->group)))
			return no_memory(w);
		uint64_t older = live->group[page];
		live->group[page] = id + 1;
		live->pages[id]++;
		if (older != 0 && --live->pages[older - 1] == 0 && !group_drop(w, older - 1))
			return false;
	}
	return true;
}

/* Takes in the groups from the last call's end up to `end`. */
static bool groups_take(struct trace_writer *w, uint64_t end)
{
	sqlite3_stmt *next = w->statements[NEXT_GROUP];
	while (w->live_end < end) {
		trace_writer_bind_u64(w, NEXT_GROUP, 1, w->live_end);
		trace_writer_bind_u64(w, NEXT_GROUP, 2, end);
		int code = sqlite3_step(next);
		if (code != SQLITE_ROW && code != SQLITE_DONE)
			trace_writer_fail(w, code);
		if (code == SQLITE_ROW) {
			uint64_t id = trace_u64_from_sql(sqlite3_column_int64(next, 0));
			const uint8_t *bytes = sqlite3_column_blob(next, 1);
			struct cursor indexes = {.at = bytes, .end = bytes + sqlite3_column_bytes(next, 1)};
			if (group_take(w, id, indexes))
				w->live_end = id + 1;
		} else {
			w->live_end = end;
		}
		sqlite3_reset(next);
		if (w->failed.status != STATUS_OK)
			return false;
	}
	return true;
}

static bool keyframe_find(struct trace_writer *w, uint64_t n, uint64_t *next_event, uint64_t *group_end)
{
	sqlite3_stmt *row = w->statements[FIND_KEYFRAME];
	trace_writer_bind_u64(w, FIND_KEYFRAME, 1, n);
	int code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		*next_event = trace_u64_from_sql(sqlite3_column_int64(row, 0));
		*group_end = trace_u64_from_sql(sqlite3_column_int64(row, 1));
	}
	sqlite3_reset(row);
	if (code == SQLITE_DONE)
		return error_set(&w->failed, STATUS_FAILED, "%s: there is no keyframe at n %llu to start at", w->path,
				 (unsigned long long)n);
	return code == SQLITE_ROW || trace_writer_fail(w, code);
}

bool trace_forget_before(struct trace_writer *w, uint64_t n, struct error *error)
{
	uint64_t next_event = 0, group_end = 0;
	if (trace_writer_begin(w) && keyframe_find(w, n, &next_event, &group_end) && groups_take(w, group_end) &&
	    trace_forget_blocks(w, next_event)) {
		trace_writer_bind_u64(w, DROP_KEYFRAMES, 1, n);
		trace_writer_bind_u64(w, DROP_CHUNKS_BEFORE, 1, next_event);
		if (trace_writer_step(w, DROP_KEYFRAMES, NULL) && trace_writer_step(w, DROP_CHUNKS_BEFORE, NULL))
			w->forgot = trace_put_u64(w, TRACE_META_START_N, n, error);
	}
	return trace_writer_report(w, error);
}
