/* Rows of versions are taken as long as one goes on where the last ended, as trace_versions_read.c reads them. */
#include "storage/trace_repair_blocks.h"
#include "storage/trace_block_cache.h"

#include <stdlib.h>

struct reading {
	struct trace_salvage *found;
	struct trace_repair_blocks *blocks;
	uint64_t first_event, next_version, last_event;
	bool gaps; /* rows may be missing here: the beginning of the trace was forgotten */
};

/* Adds the row's runs to the index. False: it is none; what was added before it goes wrong stays. */
static bool row_take(struct reading *reading, const struct trace_salvage_row *row)
{
	uint8_t *raw = trace_salvage_row_raw(reading->found, row, row->numbers[2], TRACE_RUNS_BYTES_MAX);
	struct trace_runs runs;
	struct trace_run run;
	enum trace_found got = TRACE_FAILED;
	if (raw)
		trace_runs_begin(&runs, raw, (size_t)row->numbers[2], row->numbers[1]);
	while (raw && (got = trace_runs_next(&runs, &run)) == TRACE_FOUND) {
		reading->found->no_memory |= !trace_block_index_add(&reading->blocks->index, &run);
		reading->gaps = reading->gaps && run.event < reading->first_event;
		reading->last_event = run.event > reading->last_event ? run.event : reading->last_event;
	}
	free(raw);
	return got == TRACE_ABSENT;
}

/* Takes rows up to the first that is missing or damaged. False: there is such a one. */
static bool rows_take(struct reading *reading)
{
	const struct trace_salvage_rows *rows = &reading->found->rows[TRACE_SALVAGE_VERSIONS];
	for (size_t i = 0; i < rows->count && !reading->found->no_memory; i++) {
		const struct trace_salvage_row *row = &rows->at[i];
		uint64_t first = row->numbers[0];
		if ((i > 0 && row[-1].numbers[0] == first) || first < reading->next_version || first > INT64_MAX)
			continue; /* one that a longer one replaced */
		if (!row->sound && reading->gaps)
			continue; /* one that was forgotten; else the next one shows that it is missing */
		if (!row->sound || (first > reading->next_version && !reading->gaps) ||
		    row->numbers[1] > INT64_MAX - first || !row_take(reading, row))
			return false;
		reading->next_version = first + row->numbers[1];
	}
	return true;
}

bool trace_repair_blocks_read(struct trace_salvage *found, uint64_t first_event, struct trace_repair_blocks *blocks)
{
	struct reading reading = {found, blocks, .first_event = first_event, .gaps = first_event > 0};
	const struct trace_salvage_meta *meta =
		trace_salvage_meta_find(found, trace_meta_number_key(TRACE_META_BLOCK_VERSIONS));
	uint64_t expected = meta && !meta->text ? meta->number : 0;
	*blocks = (struct trace_repair_blocks){.event_end = UINT64_MAX};
	bool all = rows_take(&reading);
	if (!all || expected > reading.next_version) {
		blocks->event_end = (reading.last_event > first_event ? reading.last_event : first_event) + 1;
		blocks->lost_count = expected > reading.next_version ? expected - reading.next_version : 1;
	}
	found->no_memory |= !trace_block_index_build(&blocks->index);
	return !found->no_memory;
}

struct putting {
	struct trace_salvage *found;
	struct trace_writer *out;
	struct trace_repair_report *report;
	struct trace_block_cache cache;
};

/* The sound row of a block group with the most contents; NULL: none. */
static const struct trace_salvage_row *group_find(const struct trace_salvage *found, uint64_t id)
{
	const struct trace_salvage_rows *rows = &found->rows[TRACE_SALVAGE_BLOCK_GROUPS];
	size_t low = 0, high = rows->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (rows->at[middle].numbers[0] < id)
			low = middle + 1;
		else
			high = middle;
	}
	bool there = low < rows->count && rows->at[low].numbers[0] == id && rows->at[low].sound &&
		     rows->at[low].numbers[1] >= 1 && rows->at[low].numbers[1] <= TRACE_CONTENTS_MAX;
	return there ? &rows->at[low] : NULL;
}

/* The content's bytes; NULL: they are lost, or in a survey may be there. *lost says which. */
static const uint8_t *content_get(struct putting *putting, uint64_t content, bool *lost)
{
	uint64_t id = content / TRACE_CONTENTS_MAX;
	size_t at = (size_t)(content % TRACE_CONTENTS_MAX);
	const struct trace_salvage_row *row = group_find(putting->found, id);
	*lost = !row || row->numbers[1] <= at;
	if (*lost || !putting->out)
		return NULL;
	struct trace_cached_group *group = trace_block_cache_get(&putting->cache, id, at + 1);
	if (!group->raw) {
		uint64_t raw_bytes = row->numbers[1] * TRACE_BLOCK_BYTES;
		group->raw = trace_salvage_row_raw(putting->found, row, raw_bytes, raw_bytes);
		group->content_count = (size_t)row->numbers[1];
	}
	*lost = !group->raw;
	return group->raw ? group->raw + at * TRACE_BLOCK_BYTES : NULL;
}

static bool version_put(uint64_t where, uint64_t event, uint64_t content, void *context, struct error *error)
{
	static const uint8_t zeroes[TRACE_BLOCK_BYTES];
	struct putting *putting = context;
	bool lost = content == TRACE_CONTENT_LOST;
	const uint8_t *bytes = zeroes;
	if (content < TRACE_CONTENT_LOST)
		bytes = content_get(putting, content, &lost);
	putting->report->lost_block_count += lost;
	return !putting->out || trace_put_block(putting->out, trace_where_disk(where), trace_where_block(where), event,
						lost ? NULL : bytes, error);
}

bool trace_repair_blocks_put(struct trace_salvage *found, const struct trace_repair_blocks *blocks,
			     struct trace_writer *out, uint64_t end_event, struct trace_repair_report *report,
			     struct error *error)
{
	struct putting putting = {found, out, report, {{{0}}, 0}};
	report->lost_block_count = blocks->lost_count;
	bool good =
		trace_block_index_each(&blocks->index, report->first_event, end_event, version_put, &putting, error);
	trace_block_cache_free(&putting.cache);
	return good;
}
