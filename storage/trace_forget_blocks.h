/* The part of trace_forget_before that is about what disks and packets held. */
#pragma once
#include "storage/trace.h"

struct trace_writer;

/* A row of table block_version. */
struct trace_live_row {
	uint64_t first_version;
	uint64_t live_count; /* versions that are the newest of their block, of those that were taken in */
};

/* A block of which a version was taken in; `where_next` is trace_where + 1, 0: a free slot. */
struct trace_live_block {
	uint64_t where_next, content, row;
};

/* The newest version of each block, up to where the trace starts. In memory a block takes some 50 bytes. */
struct trace_live_blocks {
	struct trace_live_block *slots; /* hash table, open addressing */
	uint64_t slot_count, slot_used;
	struct trace_live_row *rows; /* by first_version */
	uint64_t row_count, row_room;
	uint64_t taken; /* versions, from the first of the trace on */
};

/* Forgets payloads of events before `event`, and versions of blocks that others before `event` superseded. False:
 * w->failed. */
bool trace_forget_blocks(struct trace_writer *w, uint64_t event);

/* Cannot fail. */
void trace_live_blocks_free(struct trace_live_blocks *live);
