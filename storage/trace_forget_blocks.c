/* Versions are taken in by their order, up to the first of a later event, and each is looked at once. A row of versions
 * is dropped when all of it was taken in and none is the newest of its block; a block group when no version that is
 * left has any of its contents (trace_contents.h). What a row keeps besides its newest versions does no harm. A run of
 * zeroes of more than LONG_BLOCKS, a discard, is not taken block by block, because there may be as many as the disk
 * has: its row stays, and what it superseded stays until it is written again. */
#include "storage/trace_forget_blocks.h"
#include "storage/trace_writer.h"

#include <stdlib.h>

enum { SLOTS_MIN = 1024, LONG_BLOCKS = 4096 };

static bool no_memory(struct trace_writer *w)
{
	return error_set(&w->failed, STATUS_FAILED, "%s: no memory to forget versions of blocks", w->path);
}

/* The slot of the block, or the free one where it belongs. */
static struct trace_live_block *slot_find(const struct trace_live_blocks *live, uint64_t where_next)
{
	uint64_t slot = XXH3_64bits(&where_next, sizeof(where_next)) & (live->slot_count - 1);
	while (live->slots[slot].where_next != 0 && live->slots[slot].where_next != where_next)
		slot = (slot + 1) & (live->slot_count - 1);
	return &live->slots[slot];
}

/* Room for one more at a load of a half at most. */
static bool slots_grow(struct trace_live_blocks *live)
{
	if (live->slot_used < live->slot_count / 2)
		return true;
	struct trace_live_block *old = live->slots;
	uint64_t old_count = live->slot_count, count = old_count ? old_count * 2 : SLOTS_MIN;
	struct trace_live_block *slots = calloc(count, sizeof(*slots));
	if (!slots)
		return false;
	live->slots = slots;
	live->slot_count = count;
	for (uint64_t i = 0; i < old_count; i++) {
		if (old[i].where_next != 0)
			*slot_find(live, old[i].where_next) = old[i];
	}
	free(old);
	return true;
}

/* Drops the row if it has no newest version left. The last one may still get some. */
static bool row_settle(struct trace_writer *w, uint64_t row)
{
	const struct trace_live_blocks *live = &w->live_blocks;
	if (live->rows[row].live_count > 0 || row + 1 == live->row_count)
		return true;
	trace_writer_bind_u64(w, DROP_VERSIONS, 1, live->rows[row].first_version);
	return trace_writer_step(w, DROP_VERSIONS, NULL);
}

/* The last row is this one, which may have been begun before. */
static bool row_begin(struct trace_writer *w, uint64_t first_version)
{
	struct trace_live_blocks *live = &w->live_blocks;
	if (live->row_count > 0 && live->rows[live->row_count - 1].first_version == first_version)
		return true;
	if (live->row_count == live->row_room) {
		uint64_t room = live->row_room * 2 + 64;
		struct trace_live_row *rows = realloc(live->rows, room * sizeof(*rows));
		if (!rows)
			return no_memory(w);
		live->rows = rows;
		live->row_room = room;
	}
	live->rows[live->row_count++] = (struct trace_live_row){.first_version = first_version};
	return live->row_count == 1 || row_settle(w, live->row_count - 2);
}

/* Takes in a version, which is the block's newest; the image's only if there is no other. */
static bool version_take(struct trace_writer *w, uint64_t where, uint64_t event, uint64_t content)
{
	struct trace_live_blocks *live = &w->live_blocks;
	if (!slots_grow(live))
		return no_memory(w);
	struct trace_live_block *block = slot_find(live, where + 1);
	live->taken++;
	if (block->where_next != 0 && event == 0)
		return trace_contents_release(w, content);
	struct trace_live_block before = *block;
	*block = (struct trace_live_block){where + 1, content, live->row_count - 1};
	live->rows[block->row].live_count++;
	if (before.where_next == 0) {
		live->slot_used++;
		return true;
	}
	live->rows[before.row].live_count--;
	return row_settle(w, before.row) && trace_contents_release(w, before.content);
}

/* Takes in the run's blocks from number `from` on. */
static bool run_take(struct trace_writer *w, const struct trace_run *run, uint64_t from)
{
	if (run->content == TRACE_CONTENT_ZERO && run->count - from > LONG_BLOCKS) {
		w->live_blocks.rows[w->live_blocks.row_count - 1].live_count++;
		w->live_blocks.taken += run->count - from;
		return true;
	}
	bool good = true;
	for (uint64_t i = from; i < run->count && good; i++)
		good = version_take(w, run->where + i, run->event, trace_run_content(run, i));
	return good;
}

/* Takes in the versions of a row that were not yet, up to an event. *more: all of them, so that the next row comes. */
static bool row_take(struct trace_writer *w, uint64_t first_version, struct trace_runs *runs, uint64_t event,
		     bool *more)
{
	struct trace_run run;
	uint64_t version = first_version;
	for (; trace_runs_next(runs, &run) == TRACE_FOUND; version += run.count) {
		uint64_t taken = w->live_blocks.taken;
		if (version + run.count <= taken)
			continue;
		*more = run.event < event;
		if (!*more || !run_take(w, &run, taken > version ? taken - version : 0))
			return w->failed.status == STATUS_OK;
	}
	return true;
}

/* The raw bytes of the row that has version number `taken`, malloc'd; NULL: there is none, or w->failed. */
static uint8_t *row_read(struct trace_writer *w, uint64_t fields[3])
{
	sqlite3_stmt *row = w->statements[FIND_VERSIONS];
	trace_writer_bind_u64(w, FIND_VERSIONS, 1, w->live_blocks.taken);
	uint8_t *raw = NULL;
	int code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		for (int i = 0; i < 3; i++)
			fields[i] = trace_u64_from_sql(sqlite3_column_int64(row, i));
		raw = trace_zstd_decompress(sqlite3_column_blob(row, 3), (size_t)sqlite3_column_bytes(row, 3),
					    fields[2], TRACE_RUNS_BYTES_MAX);
		if (!raw)
			no_memory(w);
	} else if (code != SQLITE_DONE) {
		trace_writer_fail(w, code);
	}
	sqlite3_reset(row);
	return raw;
}

static bool versions_take(struct trace_writer *w, uint64_t event)
{
	bool more = true;
	while (more && w->live_blocks.taken < w->versions.first_version + w->versions.count) {
		uint64_t fields[3] = {0};
		struct trace_runs runs;
		uint8_t *raw = row_read(w, fields);
		if (!raw)
			return w->failed.status == STATUS_OK;
		trace_runs_begin(&runs, raw, (size_t)fields[2], fields[1]);
		bool good = row_begin(w, fields[0]) && row_take(w, fields[0], &runs, event, &more);
		free(raw);
		if (!good)
			return false;
	}
	return true;
}

bool trace_forget_blocks(struct trace_writer *w, uint64_t event)
{
	if (!w->has_devices)
		return true;
	trace_writer_bind_u64(w, DROP_PAYLOADS, 1, event);
	return trace_writer_step(w, DROP_PAYLOADS, NULL) && trace_versions_flush(w) && versions_take(w, event);
}

void trace_live_blocks_free(struct trace_live_blocks *live)
{
	free(live->slots);
	free(live->rows);
}
