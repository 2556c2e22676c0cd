/* Blocks from the trace. The index of versions is read when it is first needed, and again when more of a growing trace
 * is asked for; decompressed block groups are kept, as many as were used last. */
#include "storage/trace_block_read.h"
#include "storage/trace_format.h"
#include "storage/trace_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool no_memory(const struct trace_reader *r, struct error *error)
{
	return error_set(error, STATUS_FAILED, "%s: no memory for blocks of disks", r->path);
}

static bool run_add(const struct trace_run *run, void *context, struct error *error)
{
	struct trace_reader *r = context;
	return trace_block_index_add(&r->blocks->index, run) || no_memory(r, error);
}

static bool index_read(struct trace_reader *r, struct error *error)
{
	struct trace_blocks *blocks = r->blocks;
	uint64_t event_end = 0, last_n = 0;
	trace_block_index_free(&blocks->index);
	blocks->event_end = 0;
	if (!trace_get_end(r, &event_end, &last_n, error) || !trace_each_run(r, run_add, r, error))
		return false;
	if (!trace_block_index_build(&blocks->index))
		return no_memory(r, error);
	blocks->event_end = r->complete ? UINT64_MAX : event_end;
	return true;
}

const struct trace_block_index *trace_block_index_get(struct trace_reader *r, uint64_t before_event,
						      struct error *error)
{
	if (!r->blocks)
		r->blocks = calloc(1, sizeof(*r->blocks));
	if (!r->blocks)
		return no_memory(r, error), NULL;
	bool good = r->blocks->index.first && before_event <= r->blocks->event_end;
	return good || index_read(r, error) ? &r->blocks->index : NULL;
}

static bool group_damaged(const struct trace_reader *r, uint64_t id, const char *what, struct error *error)
{
	return error_set(error, STATUS_FAILED,
			 "%s: is damaged: its block group %llu: %s; copy it again, or try hvrec repair", r->path,
			 (unsigned long long)id, what);
}

/* The row (content_count, checksum, data) into the cache's entry. */
static bool group_unpack(struct trace_reader *r, sqlite3_stmt *row, struct trace_cached_group *group,
			 struct error *error)
{
	bool types = sqlite3_column_type(row, 0) == SQLITE_INTEGER && sqlite3_column_type(row, 1) == SQLITE_INTEGER &&
		     sqlite3_column_type(row, 2) == SQLITE_BLOB;
	uint64_t count = trace_u64_from_sql(sqlite3_column_int64(row, 0));
	uint64_t checksum = trace_u64_from_sql(sqlite3_column_int64(row, 1));
	if (!types || count < 1 || count > TRACE_CONTENTS_MAX)
		return group_damaged(r, group->id, "its row is none", error);
	struct trace_bytes data = {sqlite3_column_blob(row, 2), (size_t)sqlite3_column_bytes(row, 2)};
	if (!data.data || trace_group_checksum(group->id, count, data) != checksum)
		return group_damaged(r, group->id, "a checksum does not match", error);
	group->raw = trace_pages_decompress(data.data, data.count, count * TRACE_BLOCK_BYTES);
	if (!group->raw)
		return errno == ENOMEM ? no_memory(r, error)
				       : group_damaged(r, group->id, "it cannot be decompressed", error);
	group->content_count = (size_t)count;
	return true;
}

/* Reads a group into the entry, which is empty. */
static bool group_load(struct trace_reader *r, struct trace_cached_group *group, struct error *error)
{
	sqlite3_stmt *row = trace_reader_prepare(
		r, "SELECT content_count, checksum, data FROM main.block_group WHERE id = ?1", error);
	if (row)
		sqlite3_bind_int64(row, 1, trace_sql_from_u64(group->id));
	enum trace_found found = row ? trace_reader_step(r, row, error) : TRACE_FAILED;
	if (found == TRACE_ABSENT)
		group_damaged(r, group->id, "it is missing", error);
	bool good = found == TRACE_FOUND && group_unpack(r, row, group, error);
	sqlite3_finalize(row);
	return good;
}

const uint8_t *trace_block_content(struct trace_reader *r, uint64_t content, uint64_t where, struct error *error)
{
	static const uint8_t zeroes[TRACE_BLOCK_BYTES];
	if (content == TRACE_CONTENT_ZERO)
		return zeroes;
	if (content == TRACE_CONTENT_LOST) {
		error_set(error, STATUS_FAILED, "%s: block %llu of disk %u was lost before the trace was repaired",
			  r->path, (unsigned long long)trace_where_block(where), (unsigned)trace_where_disk(where));
		return NULL;
	}
	uint64_t id = content / TRACE_CONTENTS_MAX;
	size_t at = (size_t)(content % TRACE_CONTENTS_MAX);
	struct trace_cached_group *group = trace_block_cache_get(&r->blocks->cache, id, at + 1);
	if (!group->raw && !group_load(r, group, error))
		return NULL;
	if (group->content_count > at)
		return group->raw + at * TRACE_BLOCK_BYTES;
	group_damaged(r, id, "contents are missing", error);
	return NULL;
}

enum trace_found trace_get_block(struct trace_reader *r, uint32_t disk, uint64_t block, uint64_t before_event,
				 uint8_t bytes[TRACE_BLOCK_BYTES], struct error *error)
{
	uint64_t where = trace_where(disk, block);
	if (disk >= TRACE_DISKS_MAX || block >= TRACE_BLOCKS_MAX)
		return TRACE_ABSENT;
	const struct trace_block_index *index = trace_block_index_get(r, before_event, error);
	if (!index)
		return TRACE_FAILED;
	const struct trace_run *run = trace_block_index_find(index, where, before_event);
	if (!run)
		return TRACE_ABSENT;
	const uint8_t *found = trace_block_content(r, trace_run_content(run, where - run->where), where, error);
	if (!found)
		return TRACE_FAILED;
	memcpy(bytes, found, TRACE_BLOCK_BYTES);
	return TRACE_FOUND;
}

/* Hands out the blocks of a run: zeroes all at once. */
static bool run_each(struct trace_reader *r, const struct trace_run *run, trace_block_fn *each, void *context,
		     struct error *error)
{
	uint64_t block = trace_where_block(run->where);
	if (run->content == TRACE_CONTENT_ZERO)
		return each(block, run->count, NULL, context, error);
	for (uint64_t i = 0; i < run->count; i++) {
		const uint8_t *bytes = trace_block_content(r, trace_run_content(run, i), run->where + i, error);
		if (!bytes || !each(block + i, 1, bytes, context, error))
			return false;
	}
	return true;
}

bool trace_each_block(struct trace_reader *r, uint32_t disk, uint64_t before_event, trace_block_fn *each, void *context,
		      struct error *error)
{
	const struct trace_block_index *index = trace_block_index_get(r, before_event, error);
	if (!index || disk >= TRACE_DISKS_MAX)
		return index != NULL;
	size_t bound = trace_block_index_bound(index, trace_where(disk, 0));
	for (; bound + 1 < index->bound_count && trace_where_disk(index->bounds[bound]) == disk; bound++) {
		struct trace_run part;
		if (trace_block_index_stretch(index, bound, before_event, &part) &&
		    !run_each(r, &part, each, context, error))
			return false;
	}
	return true;
}

void trace_blocks_free(struct trace_blocks *blocks)
{
	if (!blocks)
		return;
	trace_block_index_free(&blocks->index);
	trace_block_cache_free(&blocks->cache);
	free(blocks);
}
