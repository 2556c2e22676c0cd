/* The contents of blocks, each kept once: a table from their hashes to their numbers, and the block group that gathers
 * the new ones. Part of the writer (trace_writer.h); every content is counted, so that trace_forget_before can drop a
 * block group of which nothing is used any more. In memory a content takes some 50 bytes. */
#pragma once
#include "storage/trace_runs.h"
#include <xxhash.h>

struct trace_writer;

struct trace_content {
	XXH128_hash_t hash;
	uint64_t use_count; /* versions that have it and are not forgotten */
};

struct trace_content_group {
	uint32_t count, used_count; /* contents; of these, used by any version */
	struct trace_content at[TRACE_CONTENTS_MAX];
};

struct trace_contents {
	struct trace_content_group **groups; /* by id; NULL: dropped */
	uint64_t group_count, group_room;
	uint64_t next;   /* the number that the next new content gets */
	uint64_t *slots; /* hash table, open addressing: a content's number + 1, 0: free */
	uint64_t slot_count, slot_used;
	uint8_t *raw;           /* of the last group, which is the one that is filled */
	uint32_t written_count; /* of its contents: in the file, as a group with fewer, which the next one replaces */
	uint64_t written_bytes; /* which that takes */
};

/* Takes in the contents of a block, and counts its use; *content is its number. False: w->failed. */
bool trace_contents_put(struct trace_writer *w, const uint8_t *bytes, uint64_t *content);

/* Writes the group as it is. False: w->failed. */
bool trace_contents_flush(struct trace_writer *w);

/* One version less has this content; a group that nobody uses any more is dropped, unless it is still being filled.
 * False: w->failed. */
bool trace_contents_release(struct trace_writer *w, uint64_t content);

/* Cannot fail. */
void trace_contents_free(struct trace_contents *contents);
