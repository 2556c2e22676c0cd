/* Rows of versions are taken as long as one goes on where the last ended, as trace_versions_read.c reads them. */
#include "storage/trace_repair_blocks.h"
#include "storage/trace_block_cache.h"
#include "storage/trace_writer.h"

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

/* The place of the first row of block group `id` or a later one. */
static size_t group_place(const struct trace_salvage_rows *rows, uint64_t id)
{
	size_t low = 0, high = rows->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (rows->at[middle].numbers[0] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The row that has the content; NULL: it is lost, and so are all up to before *next, which is above it. */
static const struct trace_salvage_row *content_find(const struct trace_salvage_rows *rows, uint64_t content,
						    uint64_t *next)
{
	uint64_t id = content / TRACE_CONTENTS_MAX;
	size_t place = group_place(rows, id), at = (size_t)(content % TRACE_CONTENTS_MAX);
	const struct trace_salvage_row *row = place < rows->count ? &rows->at[place] : NULL;
	if (row && row->numbers[0] == id) {
		*next = (id + 1) * TRACE_CONTENTS_MAX;
		return row->sound && row->numbers[1] <= TRACE_CONTENTS_MAX && row->numbers[1] > at ? row : NULL;
	}
	bool later = row && row->numbers[0] <= INT64_MAX / TRACE_CONTENTS_MAX;
	*next = later ? row->numbers[0] * TRACE_CONTENTS_MAX : UINT64_MAX;
	return NULL;
}

/* The bytes of a content that the row has; NULL: lost after all. */
static const uint8_t *content_get(struct putting *putting, const struct trace_salvage_row *row, uint64_t content)
{
	size_t at = (size_t)(content % TRACE_CONTENTS_MAX);
	struct trace_cached_group *group = trace_block_cache_get(&putting->cache, row->numbers[0], at + 1);
	if (!group->raw) {
		uint64_t raw_bytes = row->numbers[1] * TRACE_BLOCK_BYTES;
		group->raw = trace_salvage_row_raw(putting->found, row, raw_bytes, raw_bytes);
		group->content_count = (size_t)row->numbers[1];
	}
	return group->raw ? group->raw + at * TRACE_BLOCK_BYTES : NULL;
}

/* Puts a run's blocks from number `from` to before `end` as lost. */
static bool lost_put(struct putting *putting, const struct trace_run *run, uint64_t from, uint64_t end,
		     struct error *error)
{
	struct trace_run lost = {run->where + from, end - from, run->event, TRACE_CONTENT_LOST};
	putting->report->lost_block_count += lost.count;
	return !putting->out || trace_put_run(putting->out, &lost, error);
}

/* Puts the block number `i` of a run, or all from there on that are lost together; *i goes on behind them. */
static bool blocks_put(struct putting *putting, const struct trace_run *run, uint64_t *i, struct error *error)
{
	uint64_t content = run->content + *i, where = run->where + *i, from = *i, next;
	const struct trace_salvage_row *row =
		content_find(&putting->found->rows[TRACE_SALVAGE_BLOCK_GROUPS], content, &next);
	const uint8_t *bytes = row && putting->out ? content_get(putting, row, content) : NULL;
	bool there = row && (bytes || !putting->out);
	uint64_t end = row ? 1 : next - content;
	*i += end < run->count - from ? end : run->count - from;
	if (!there)
		return lost_put(putting, run, from, *i, error);
	return !putting->out || trace_put_block(putting->out, trace_where_disk(where), trace_where_block(where),
						run->event, bytes, error);
}

static bool run_put(const struct trace_run *run, void *context, struct error *error)
{
	struct putting *putting = context;
	if (run->content == TRACE_CONTENT_LOST)
		return lost_put(putting, run, 0, run->count, error);
	if (run->content == TRACE_CONTENT_ZERO)
		return !putting->out || trace_put_run(putting->out, run, error);
	bool good = true;
	for (uint64_t i = 0; good && i < run->count;)
		good = blocks_put(putting, run, &i, error);
	return good;
}

bool trace_repair_blocks_put(struct trace_salvage *found, const struct trace_repair_blocks *blocks,
			     struct trace_writer *out, uint64_t end_event, struct trace_repair_report *report,
			     struct error *error)
{
	struct putting putting = {found, out, report, {{{0}}, 0}};
	report->lost_block_count = blocks->lost_count;
	bool good = trace_block_index_each(&blocks->index, report->first_event, end_event, run_put, &putting, error);
	trace_block_cache_free(&putting.cache);
	return good;
}
