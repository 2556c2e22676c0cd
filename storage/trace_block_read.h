/* The reader's half of what disks hold: versions in order, and the blocks' contents. */
#pragma once
#include "storage/trace_block_cache.h"
#include "storage/trace_block_index.h"
#include "storage/trace_runs.h"

/* What a reader keeps of blocks, from the first call on that needs it. */
struct trace_blocks {
	struct trace_block_index index;
	uint64_t event_end; /* the index has all versions of events below */
	struct trace_block_cache cache;
};

struct trace_reader;

/* Calls `each` with all runs, in the order in which they were put, until it returns false. False: it did, or they could
 * not be read; error set. */
bool trace_each_run(struct trace_reader *r, trace_run_fn *each, void *context, struct error *error);

/* The index, with the versions of all events before `before_event` that are committed; NULL: error set. */
const struct trace_block_index *trace_block_index_get(struct trace_reader *r, uint64_t before_event,
						      struct error *error);

/* The block's TRACE_BLOCK_BYTES, valid until the next call; NULL: error set. `where` is for the error's text.
 * Only after trace_block_index_get. */
const uint8_t *trace_block_content(struct trace_reader *r, uint64_t content, uint64_t where, struct error *error);

/* *has: the trace has the tables for devices. False: it cannot be read; error set. */
bool trace_reader_has_devices(struct trace_reader *r, bool *has, struct error *error);

/* Sets `error`; returns false. */
bool trace_blocks_damaged(const struct trace_reader *r, const char *what, struct error *error);

/* Frees; NULL is allowed. */
void trace_blocks_free(struct trace_blocks *blocks);
