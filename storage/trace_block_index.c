/* A segment tree: its leaves are the stretches between neighbouring bounds, and a run is noted in the few nodes whose
 * stretches together are the run. The runs of a block are those of its leaf and of all nodes above:
 *
 *             1                 run A covers leaves 4 5 6 7: noted in node 1
 *        2         3            run B covers leaves 4 5 6:   noted in nodes 2 and 6
 *      4   5     6   7          a block of leaf 6 is looked for in nodes 6, 3 and 1
 */
#include "storage/trace_block_index.h"

#include <stdlib.h>

bool trace_block_index_add(struct trace_block_index *index, const struct trace_run *run)
{
	if (index->run_count == index->run_room) {
		size_t room = index->run_room * 2 + 256;
		struct trace_run *runs = realloc(index->runs, room * sizeof(*runs));
		if (!runs)
			return false;
		index->runs = runs;
		index->run_room = room;
	}
	index->runs[index->run_count++] = *run;
	index->image_count += run->event == 0;
	return index->run_count < UINT32_MAX;
}

/* The image's runs to the front; all others keep their order, and so do they. */
static bool images_first(struct trace_block_index *index)
{
	struct trace_run *sorted = malloc((index->run_count + 1) * sizeof(*sorted));
	size_t image = 0, other = index->image_count;
	if (!sorted)
		return false;
	for (size_t i = 0; i < index->run_count; i++)
		sorted[index->runs[i].event == 0 ? image++ : other++] = index->runs[i];
	free(index->runs);
	index->runs = sorted;
	index->run_room = index->run_count + 1;
	return true;
}

static int compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static bool bounds_make(struct trace_block_index *index)
{
	size_t count = 0;
	index->bounds = malloc((2 * index->run_count + 1) * sizeof(*index->bounds));
	if (!index->bounds)
		return false;
	for (size_t i = 0; i < index->run_count; i++) {
		index->bounds[2 * i] = index->runs[i].where;
		index->bounds[2 * i + 1] = index->runs[i].where + index->runs[i].count;
	}
	qsort(index->bounds, 2 * index->run_count, sizeof(*index->bounds), compare_u64);
	for (size_t i = 0; i < 2 * index->run_count; i++) {
		if (count == 0 || index->bounds[count - 1] != index->bounds[i])
			index->bounds[count++] = index->bounds[i];
	}
	index->bound_count = count;
	return true;
}

size_t trace_block_index_bound(const struct trace_block_index *index, uint64_t where)
{
	size_t low = 0, high = index->bound_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (index->bounds[middle] < where)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Notes the run in one node: counts it, or (index->at is there) puts it. */
static void node_note(struct trace_block_index *index, size_t node, uint32_t run)
{
	if (index->at)
		index->at[index->first[node]] = run;
	index->first[node]++;
}

/* Notes all runs, in order. */
static void runs_note(struct trace_block_index *index)
{
	for (size_t i = 0; i < index->run_count; i++) {
		const struct trace_run *run = &index->runs[i];
		size_t left = trace_block_index_bound(index, run->where) + index->bound_count;
		size_t right = trace_block_index_bound(index, run->where + run->count) + index->bound_count;
		for (; left < right; left >>= 1, right >>= 1) {
			if (left & 1)
				node_note(index, left++, (uint32_t)i);
			if (right & 1)
				node_note(index, --right, (uint32_t)i);
		}
	}
}

/* Each node's runs one after the other: first their numbers are counted, then they are put, which moves each node's
 * `first` to the next one's place. */
static bool nodes_make(struct trace_block_index *index)
{
	size_t node_count = 2 * index->bound_count;
	index->first = calloc(node_count + 1, sizeof(*index->first));
	if (!index->first)
		return false;
	runs_note(index);
	uint64_t total = 0;
	for (size_t node = 0; node <= node_count; node++) {
		uint32_t count = index->first[node];
		index->first[node] = (uint32_t)total;
		total += count;
	}
	index->at = total <= UINT32_MAX ? malloc((total + 1) * sizeof(*index->at)) : NULL;
	if (!index->at)
		return false;
	runs_note(index);
	for (size_t node = node_count; node > 0; node--)
		index->first[node] = index->first[node - 1];
	index->first[0] = 0;
	return true;
}

bool trace_block_index_build(struct trace_block_index *index)
{
	return images_first(index) && bounds_make(index) && nodes_make(index);
}

/* How many runs, from the first on, are of an event before `before_event`, or of the image. */
static size_t runs_before(const struct trace_block_index *index, uint64_t before_event)
{
	size_t low = index->image_count, high = index->run_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (index->runs[middle].event < before_event)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* 1 + the node's last run below `end`; 0: it has none. */
static size_t node_last(const struct trace_block_index *index, size_t node, size_t end)
{
	size_t low = index->first[node], high = index->first[node + 1];
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (index->at[middle] < end)
			low = middle + 1;
		else
			high = middle;
	}
	return low > index->first[node] ? (size_t)index->at[low - 1] + 1 : 0;
}

const struct trace_run *trace_block_index_find(const struct trace_block_index *index, uint64_t where,
					       uint64_t before_event)
{
	size_t end = runs_before(index, before_event), newest = 0;
	size_t leaf = trace_block_index_bound(index, where + 1);
	if (leaf == 0)
		return NULL;
	for (size_t node = leaf - 1 + index->bound_count; node > 0; node >>= 1) {
		size_t last = node_last(index, node, end);
		newest = last > newest ? last : newest;
	}
	return newest > 0 ? &index->runs[newest - 1] : NULL;
}

bool trace_block_index_stretch(const struct trace_block_index *index, size_t bound, uint64_t before_event,
			       struct trace_run *part)
{
	uint64_t where = index->bounds[bound];
	const struct trace_run *run = trace_block_index_find(index, where, before_event);
	if (run)
		*part = (struct trace_run){.where = where,
					   .count = index->bounds[bound + 1] - where,
					   .event = run->event,
					   .content = trace_run_content(run, where - run->where)};
	return run != NULL;
}

bool trace_block_index_each(const struct trace_block_index *index, uint64_t first_event, uint64_t end_event,
			    trace_run_fn *each, void *context, struct error *error)
{
	for (size_t bound = 0; bound + 1 < index->bound_count; bound++) {
		struct trace_run part;
		if (!trace_block_index_stretch(index, bound, first_event, &part))
			continue;
		part.event = 0;
		if (!each(&part, context, error))
			return false;
	}
	for (size_t i = runs_before(index, first_event); i < index->run_count; i++) {
		if (index->runs[i].event < end_event && !each(&index->runs[i], context, error))
			return false;
	}
	return true;
}

void trace_block_index_free(struct trace_block_index *index)
{
	free(index->runs);
	free(index->bounds);
	free(index->first);
	free(index->at);
	*index = (struct trace_block_index){0};
}
