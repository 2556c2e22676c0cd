/* Versions of blocks, as a row of table block_version holds them: runs of blocks that one event made, in the order in
 * which they came. Used by the writer, the reader and repair. Format: docs/TRACE-FORMAT.md, "Versions". */
#pragma once
#include "storage/bytes.h"
#include "storage/trace.h"

enum {
	TRACE_RUNS_MAX = 4096,                      /* of a row */
	TRACE_RUN_BYTES_MAX = 42,                   /* encoded */
	TRACE_CONTENTS_MAX = TRACE_GROUP_PAGES_MAX, /* of a block group; content c is in group c / this */
	TRACE_RUNS_BYTES_MAX = 10 + TRACE_RUNS_MAX * TRACE_RUN_BYTES_MAX,
};

/* What is no number of a content: a block of zeroes, which is not stored; one whose content a repair did not find. */
#define TRACE_CONTENT_ZERO UINT64_MAX
#define TRACE_CONTENT_LOST (UINT64_MAX - 1)

struct trace_run {
	uint64_t where; /* trace_where of its first block */
	uint64_t count; /* of blocks, one after the other */
	uint64_t event;
	uint64_t content; /* of the first block, the next one's is one more; or one of the above for all */
};

/* A block of any disk as one number, so that the blocks of a disk follow each other. */
static inline uint64_t trace_where(uint32_t disk, uint64_t block)
{
	return (uint64_t)disk << 56 | block;
}

static inline uint32_t trace_where_disk(uint64_t where)
{
	return (uint32_t)(where >> 56);
}

static inline uint64_t trace_where_block(uint64_t where)
{
	return where & ((UINT64_C(1) << 56) - 1);
}

/* The content of the run's block number `index`. */
static inline uint64_t trace_run_content(const struct trace_run *run, uint64_t index)
{
	return run->content >= TRACE_CONTENT_LOST ? run->content : run->content + index;
}

/* What a run is told relative to: it starts as zeroes with the row's next_content. */
struct trace_run_coder {
	uint64_t next_content; /* the number that the next new content gets */
	uint64_t event;        /* the last one */
	uint32_t disk;         /* of the run before */
	uint64_t next_block[TRACE_DISKS_MAX];
};

/* Appends the run, which must follow in the order of events. Cannot fail but by out->failed. */
void trace_run_put(struct bytes *out, const struct trace_run_coder *coder, const struct trace_run *run);
/* Goes on behind the run. */
void trace_run_pass(struct trace_run_coder *coder, const struct trace_run *run);

struct trace_runs {
	struct cursor cursor;
	struct trace_run_coder coder;
	uint64_t left; /* versions */
};

/* Begins to read a row's raw bytes, which must live as long. */
void trace_runs_begin(struct trace_runs *runs, const uint8_t *raw, size_t bytes, uint64_t version_count);
/* The next run. TRACE_ABSENT: all were read; TRACE_FAILED: the bytes hold none, or not `version_count` versions. */
enum trace_found trace_runs_next(struct trace_runs *runs, struct trace_run *run);
