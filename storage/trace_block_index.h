/* Which version a block of a disk has before an event: all versions of a trace, as runs, and a tree over them. A run
 * that covers many blocks takes as much memory as one that covers a single one. */
#pragma once
#include "storage/trace_runs.h"

struct trace_block_index {
	struct trace_run *runs; /* the image's first, then by event; a later one is newer */
	size_t run_count, run_room, image_count;
	uint64_t *bounds; /* where runs begin and end, ascending, each once */
	size_t bound_count;
	uint32_t *first; /* of each node, into `at`, and the end */
	uint32_t *at;    /* numbers of runs, ascending in each node */
};

/* Adds a run, in the order in which they were put. False without memory, or if there are more than 2^32. */
bool trace_block_index_add(struct trace_block_index *index, const struct trace_run *run);

/* Makes the tree, once all runs were added. False without memory. */
bool trace_block_index_build(struct trace_block_index *index);

/* The newest run that has the block and is of an event before `before_event`, or of the image; NULL: there is none.
 * Takes the square of the logarithm of the number of runs. */
const struct trace_run *trace_block_index_find(const struct trace_block_index *index, uint64_t where,
					       uint64_t before_event);

/* The number of the first of `bounds` that is not below `where`. From a bound to before the next one all blocks are of
 * the same runs. Cannot fail. */
size_t trace_block_index_bound(const struct trace_block_index *index, uint64_t where);

/* Calls `each` with all versions that a replay from event `first_event` to before `end_event` needs, as runs: of each
 * block the newest one before the first, as the image's (event 0), in the order of disks and blocks; then those of the
 * events, in their order. False: `each` returned it. */
typedef bool trace_run_fn(const struct trace_run *run, void *context, struct error *error);
bool trace_block_index_each(const struct trace_block_index *index, uint64_t first_event, uint64_t end_event,
			    trace_run_fn *each, void *context, struct error *error);

/* The part of the newest runs before an event that is from bound number `bound` to the next one, which must be there.
 * False: there is none. */
bool trace_block_index_stretch(const struct trace_block_index *index, size_t bound, uint64_t before_event,
			       struct trace_run *part);

/* Cannot fail. */
void trace_block_index_free(struct trace_block_index *index);
