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

struct seed {
	uint8_t *file;
	size_t file_bytes;
	uint8_t *wal; /* NULL: none */
	size_t wal_bytes;
	sqlite3 *db; /* the same in sqlite's memory, to be changed and rolled back */
	struct seed_chunk *chunks;
	size_t chunk_count;
};

enum { SEEDS_MAX = 32 };

/* Loads the traces of folder `golden`, makes further ones in `folder`, and returns how many there are: finished and
 * incomplete ones, empty ones, ones with a -wal. Ends the program if one cannot be had. They live to its end. */
size_t trace_seeds_make(const char *golden, const char *folder, struct seed seeds[SEEDS_MAX]);
