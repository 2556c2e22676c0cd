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

/* The tables of devices, and how many numbers each of their rows has besides its checksum: the first is its key. */
enum trace_salvage_table { TRACE_SALVAGE_BLOCK_GROUPS, TRACE_SALVAGE_VERSIONS, TRACE_SALVAGE_PAYLOADS };
enum { TRACE_SALVAGE_TABLE_COUNT = 3, TRACE_SALVAGE_NUMBERS_MAX = 4 };

struct trace_salvage_row {
	uint64_t numbers[TRACE_SALVAGE_NUMBERS_MAX]; /* in the order of the table's columns */
	struct trace_cell cell;
	bool sound; /* its checksum is right */
};

/* By key, sound ones first, of these the one with the largest second number first. */
struct trace_salvage_rows {
	struct trace_salvage_row *at;
	size_t count;
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
	struct trace_salvage_rows rows[TRACE_SALVAGE_TABLE_COUNT];
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

/* The data of a row of a device's table, decompressed: malloc'd, the caller's. NULL: it is none that has `raw_bytes`,
 * or more than `raw_bytes_max`; or without memory: no_memory is set. */
uint8_t *trace_salvage_row_raw(struct trace_salvage *s, const struct trace_salvage_row *row, uint64_t raw_bytes,
			       uint64_t raw_bytes_max);

/* Undo trace_compress, and trace_zstd_compress for pages; without memory no_memory is set. */
uint8_t *trace_salvage_decompress(struct trace_salvage *s, struct trace_bytes stored, uint64_t raw_bytes);
uint8_t *trace_salvage_pages_decompress(struct trace_salvage *s, struct trace_bytes stored, uint64_t raw_bytes);

/* For trace_salvage_rows.c. Reads a row into s->record. */
bool trace_salvage_record(struct trace_salvage *s, struct trace_cell cell);
/* Takes the row in s->record in if it is one of a device's table; *taken says so. False without memory. */
bool trace_salvage_rows_take(struct trace_salvage *s, struct trace_cell cell, bool *taken);
void trace_salvage_rows_sort(struct trace_salvage *s);

/* The metadata under `key`; NULL: none. */
const struct trace_salvage_meta *trace_salvage_meta_find(const struct trace_salvage *s, const char *key);
