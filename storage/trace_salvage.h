/* What can still be found of a damaged trace, page by page (trace_records.h): rows that look like a table's, each
 * judged by its checksum or hash where it has one. The file is not changed. */
#pragma once
#include "storage/trace_format.h"
#include "storage/trace_records.h"

struct trace_salvage_chunk {
	struct trace_chunk row;
	struct trace_cell cell;
	bool sound; /* its checksum is right; otherwise it only shows what is lost */
};

struct trace_salvage_meta {
	char *key;
	char *text; /* NULL: a number */
	uint64_t number;
};

struct trace_salvage_file {
	char *name;
	uint8_t hash[TRACE_HASH_BYTES];
};

struct trace_salvage_blob {
	uint8_t hash[TRACE_HASH_BYTES];
	struct trace_cell cell;
};

struct trace_salvage_keyframe {
	struct trace_keyframe row;
	uint64_t state_bytes;
	struct trace_cell cell;
	bool sound; /* its checksum is right; otherwise it only shows what is lost */
};

struct trace_salvage_group {
	uint64_t id;
	uint64_t page_count;
	struct trace_cell cell;
	bool sound; /* both its checksums are right */
};

struct trace_salvage {
	struct trace_pages *pages;
	struct trace_record record;
	struct trace_salvage_chunk *chunks; /* by first_event, the longest first */
	struct trace_salvage_meta *metas;
	struct trace_salvage_file *files;
	struct trace_salvage_blob *blobs;
	struct trace_salvage_keyframe *keyframes; /* by n, sound ones first */
	struct trace_salvage_group *groups;       /* by id, sound ones first */
	size_t chunk_count, meta_count, file_count, blob_count, keyframe_count, group_count;
	bool no_memory; /* it ran out on the way, so what seems to be lost may be there */
};

/* Looks through all pages. NULL on failure: the file cannot be read, it is being recorded, no memory. */
struct trace_salvage *trace_salvage_open(const char *path, struct error *error);

/* Frees; NULL is allowed. */
void trace_salvage_close(struct trace_salvage *s);

/* The contents of a named file, malloc'd, the caller's; NULL if they are lost, or without memory: no_memory is set. */
uint8_t *trace_salvage_contents(struct trace_salvage *s, const struct trace_salvage_file *file, size_t *bytes);

/* The row's data column, valid until the next call; NULL if it cannot be read any more, or without memory. */
const uint8_t *trace_salvage_chunk_data(struct trace_salvage *s, const struct trace_salvage_chunk *chunk,
					size_t *bytes);

/* The same of a keyframe's columns `state` and `same`, and of a group's `indexes` and `data`. False: they cannot be
 * read any more, or without memory. */
bool trace_salvage_keyframe_data(struct trace_salvage *s, const struct trace_salvage_keyframe *keyframe,
				 struct trace_bytes *state, struct trace_bytes *same);
bool trace_salvage_group_data(struct trace_salvage *s, const struct trace_salvage_group *group,
			      struct trace_bytes *indexes, struct trace_bytes *data);

/* Undo trace_compress and trace_pages_compress, as trace_decompress and trace_pages_decompress do; without memory
 * no_memory is set. */
uint8_t *trace_salvage_decompress(struct trace_salvage *s, struct trace_bytes stored, uint64_t raw_bytes);
uint8_t *trace_salvage_pages_decompress(struct trace_salvage *s, struct trace_bytes stored, uint64_t raw_bytes);

/* The metadata under `key`; NULL: none. */
const struct trace_salvage_meta *trace_salvage_meta_find(const struct trace_salvage *s, const char *key);
