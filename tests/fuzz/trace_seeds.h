/* The sound traces that fuzz_trace.c mutates, each as a file in memory and taken apart into what a stage changes. */
#pragma once
#include "storage/trace_format.h"

struct seed_chunk {
	struct trace_chunk row;
	uint8_t *stored;
	size_t stored_bytes;
	uint8_t *raw; /* row.raw_bytes */
	struct event *events;
};

/* A keyframe, or a page group: a row as it is stored, and its blobs as they were before lz4. */
struct seed_keyframe {
	struct trace_keyframe row;
	uint64_t state_bytes;
	uint8_t *state, *same;
	size_t same_bytes;
};

struct seed_group {
	uint64_t id, page_count;
	uint8_t indexes[TRACE_GROUP_PAGES_MAX * 4];
	uint8_t *pages; /* page_count * TRACE_PAGE_BYTES */
};

struct seed {
	uint8_t *file;
	size_t file_bytes;
	uint8_t *wal; /* NULL: none */
	size_t wal_bytes;
	sqlite3 *db; /* the same in sqlite's memory, to be changed and rolled back */
	struct seed_chunk *chunks;
	size_t chunk_count;
	struct seed_keyframe *keyframes;
	size_t keyframe_count;
	struct seed_group *groups;
	size_t group_count;
	bool has_devices; /* blocks of disks, and payloads */
};

enum { SEEDS_MAX = 40, SEED_RAM_BYTES = 1 << 20 };

/* Makes traces in `folder`, loads those of folder `golden` behind them, and returns how many there are in all: finished
 * and incomplete ones, empty ones, ones with a -wal, with keyframes, and such that start at one. Ends the program if
 * one cannot be had. They live to its end. */
size_t trace_seeds_make(const char *golden, const char *folder, struct seed seeds[SEEDS_MAX], size_t *golden_count);

/* How a trace is made. Steps are in events. */
struct seed_recipe {
	uint64_t event_count, commit_step;
	uint64_t keyframe_step; /* 0: no keyframes */
	uint64_t pages;         /* of the second keyframe; at most 128 */
	uint64_t start_at;      /* the event whose keyframe is its first; 0: it starts at 0 */
	uint64_t forget_to;     /* what is before this event's keyframe is forgotten; 0: nothing */
	uint64_t device_step;   /* every so many an event writes blocks, or brings a payload; 0: none does */
	bool finished, wal;     /* wal: its last commits are in the -wal only */
};

/* Writes one up to its last commit. NULL on failure. */
struct trace_writer *trace_seeds_write(const char *path, const struct seed_recipe *recipe, struct error *error);
