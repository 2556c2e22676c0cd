/* One pass over the pages. A row's table is recognized by its columns: a chunk has eight, of which one is a blob, a
 * keyframe eight with two, a page group six with two, a blob a hash, a size and data; metadata and named files have a
 * text as their key. What is left of deleted rows is harmless: a chunk or blob that is what its checksum or hash says
 * is right wherever it was found. */
#include "storage/trace_salvage.h"
#include "storage/chunk.h"
#include "storage/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	CHUNK_COLUMNS = 8,
	CHUNK_CHECKSUM = 6,
	CHUNK_DATA = 7,
	KEYFRAME_COLUMNS = 8,
	KEYFRAME_CHECKSUM = 5,
	KEYFRAME_STATE = 6,
	KEYFRAME_SAME = 7,
	GROUP_COLUMNS = 6,
	GROUP_INDEXES_CHECKSUM = 2,
	GROUP_DATA_CHECKSUM = 3,
	GROUP_INDEXES = 4,
	GROUP_DATA = 5
};

/* `array` with room for one entry more than `count`; NULL without memory. Room doubles at powers of two. */
static void *room(void *array, size_t count, size_t entry_bytes)
{
	return count & (count - 1) ? array : realloc(array, (count ? count * 2 : 1) * entry_bytes);
}

/* A copy of a text column; NULL if it is none, is too long, holds a NUL, or there is no memory. */
static char *text_of(struct trace_salvage *s, const struct trace_column *column, size_t bytes_max)
{
	if (column->type != TRACE_COLUMN_TEXT || column->byte_count > bytes_max ||
	    memchr(column->bytes, 0, column->byte_count))
		return NULL;
	char *copy = strndup((const char *)column->bytes, column->byte_count);
	s->no_memory |= !copy;
	return copy;
}

bool trace_salvage_record(struct trace_salvage *s, struct trace_cell cell)
{
	errno = 0;
	bool good = trace_records_get(s->pages, cell, &s->record);
	s->no_memory |= !good && errno == ENOMEM;
	return good;
}

static bool is_hash(const struct trace_column *column)
{
	return column->type == TRACE_COLUMN_BLOB && column->byte_count == TRACE_HASH_BYTES;
}

/* Columns 1 to `count` as numbers. False: one is none. */
static bool numbers_of(const struct trace_column *columns, uint64_t *numbers, int count)
{
	for (int i = 1; i <= count; i++) {
		if (columns[i].type != TRACE_COLUMN_INTEGER)
			return false;
		numbers[i - 1] = (uint64_t)columns[i].integer;
	}
	return true;
}

static struct trace_bytes blob_of(const struct trace_column *column)
{
	return (struct trace_bytes){column->bytes, column->byte_count};
}

static bool keyframe_take(struct trace_salvage *s, struct trace_cell cell)
{
	const struct trace_column *columns = s->record.columns;
	uint64_t numbers[KEYFRAME_CHECKSUM];
	if (!numbers_of(columns, numbers, KEYFRAME_CHECKSUM) || columns[KEYFRAME_SAME].type != TRACE_COLUMN_BLOB)
		return true;
	struct trace_salvage_keyframe found = {.row = {.n = (uint64_t)s->record.rowid,
						       .next_event = numbers[0],
						       .first_group = numbers[1],
						       .group_count = numbers[2]},
					       .state_bytes = numbers[3],
					       .cell = cell};
	found.sound = trace_keyframe_checksum(&found.row, found.state_bytes, blob_of(&columns[KEYFRAME_STATE]),
					      blob_of(&columns[KEYFRAME_SAME])) == numbers[4];
	struct trace_salvage_keyframe *keyframes = room(s->keyframes, s->keyframe_count, sizeof(*keyframes));
	if (!keyframes)
		return false;
	s->keyframes = keyframes;
	s->keyframes[s->keyframe_count++] = found;
	return true;
}

static bool group_take(struct trace_salvage *s, struct trace_cell cell)
{
	const struct trace_column *columns = s->record.columns;
	uint64_t id = (uint64_t)s->record.rowid, numbers[GROUP_DATA_CHECKSUM];
	if (!numbers_of(columns, numbers, GROUP_DATA_CHECKSUM) || columns[GROUP_INDEXES].type != TRACE_COLUMN_BLOB ||
	    columns[GROUP_DATA].type != TRACE_COLUMN_BLOB)
		return true;
	struct trace_bytes indexes = blob_of(&columns[GROUP_INDEXES]), data = blob_of(&columns[GROUP_DATA]);
	bool sound = numbers[0] >= 1 && numbers[0] <= TRACE_GROUP_PAGES_MAX && indexes.count == numbers[0] * 4 &&
		     trace_group_checksum(id, numbers[0], indexes) == numbers[1] &&
		     trace_group_checksum(id, numbers[0], data) == numbers[2];
	struct trace_salvage_group *groups = room(s->groups, s->group_count, sizeof(*groups));
	if (!groups)
		return false;
	s->groups = groups;
	s->groups[s->group_count++] = (struct trace_salvage_group){id, numbers[0], cell, sound};
	return true;
}

static bool chunk_take(struct trace_salvage *s, struct trace_cell cell)
{
	const struct trace_column *columns = s->record.columns;
	struct trace_chunk row = {.first_event = (uint64_t)s->record.rowid};
	uint64_t *const fields[] = {&row.event_count, &row.first_n, &row.last_n, &row.start_idle_ns, &row.raw_bytes};
	for (int i = 1; i <= CHUNK_CHECKSUM; i++) {
		if (columns[i].type != TRACE_COLUMN_INTEGER)
			return true;
		if (i < CHUNK_CHECKSUM)
			*fields[i - 1] = (uint64_t)columns[i].integer;
	}
	const struct trace_column *data = &columns[CHUNK_DATA];
	if (data->type != TRACE_COLUMN_BLOB || row.event_count < 1 || row.event_count > CHUNK_EVENTS_MAX ||
	    row.raw_bytes > CHUNK_RAW_BYTES_MAX)
		return true;
	bool sound =
		trace_chunk_checksum(&row, data->bytes, data->byte_count) == (uint64_t)columns[CHUNK_CHECKSUM].integer;
	struct trace_salvage_chunk *chunks = room(s->chunks, s->chunk_count, sizeof(*chunks));
	if (!chunks)
		return false;
	s->chunks = chunks;
	s->chunks[s->chunk_count++] = (struct trace_salvage_chunk){row, cell, sound};
	return true;
}

static bool blob_take(struct trace_salvage *s, struct trace_cell cell)
{
	const struct trace_column *columns = s->record.columns;
	if (!is_hash(&columns[0]) || columns[1].type != TRACE_COLUMN_INTEGER || columns[2].type != TRACE_COLUMN_BLOB)
		return true;
	struct trace_salvage_blob *blobs = room(s->blobs, s->blob_count, sizeof(*blobs));
	if (!blobs)
		return false;
	s->blobs = blobs;
	memcpy(blobs[s->blob_count].hash, columns[0].bytes, TRACE_HASH_BYTES);
	blobs[s->blob_count++].cell = cell;
	return true;
}

static bool file_take(struct trace_salvage *s, char *name)
{
	struct trace_salvage_file *files = room(s->files, s->file_count, sizeof(*files));
	s->no_memory |= !files;
	if (!files)
		return false;
	s->files = files;
	files[s->file_count].name = name;
	memcpy(files[s->file_count++].hash, s->record.columns[1].bytes, TRACE_HASH_BYTES);
	return true;
}

/* False if it is not one, or without memory. */
static bool meta_take(struct trace_salvage *s, char *key)
{
	const struct trace_column *value = &s->record.columns[1];
	char *text = text_of(s, value, TRACE_TEXT_BYTES_MAX);
	if (!text && value->type != TRACE_COLUMN_INTEGER)
		return false;
	struct trace_salvage_meta *metas = room(s->metas, s->meta_count, sizeof(*metas));
	if (!metas) {
		s->no_memory = true;
		free(text);
		return false;
	}
	s->metas = metas;
	metas[s->meta_count++] = (struct trace_salvage_meta){key, text, (uint64_t)value->integer};
	return true;
}

/* A row of two columns with a text first: of `file` if the second is a hash, else of `meta`. */
static void pair_take(struct trace_salvage *s)
{
	char *key = text_of(s, &s->record.columns[0], TRACE_NAME_BYTES_MAX);
	if (key && !(is_hash(&s->record.columns[1]) ? file_take(s, key) : meta_take(s, key)))
		free(key);
}

/* Takes a row in if it is one of a trace's. False without memory. */
static bool record_take(struct trace_salvage *s, struct trace_cell cell)
{
	const struct trace_record *record = &s->record;
	bool taken = false;
	if (!trace_salvage_rows_take(s, cell, &taken) || taken)
		return taken;
	if (record->has_rowid && record->column_count == KEYFRAME_COLUMNS &&
	    record->columns[KEYFRAME_STATE].type == TRACE_COLUMN_BLOB)
		return keyframe_take(s, cell);
	if (record->has_rowid && record->column_count == CHUNK_COLUMNS)
		return chunk_take(s, cell);
	if (record->has_rowid && record->column_count == GROUP_COLUMNS)
		return group_take(s, cell);
	if (record->has_rowid && record->column_count == 3)
		return blob_take(s, cell);
	if (!record->has_rowid && record->column_count == 2)
		pair_take(s);
	return true;
}

static int chunk_compare(const void *a, const void *b)
{
	const struct trace_chunk *x = a, *y = b; /* the first member */
	if (x->first_event != y->first_event)
		return x->first_event < y->first_event ? -1 : 1;
	return x->event_count > y->event_count ? -1 : x->event_count < y->event_count;
}

static int keyframe_compare(const void *a, const void *b)
{
	const struct trace_salvage_keyframe *x = a, *y = b;
	if (x->row.n != y->row.n)
		return x->row.n < y->row.n ? -1 : 1;
	return y->sound - x->sound;
}

static int group_compare(const void *a, const void *b)
{
	const struct trace_salvage_group *x = a, *y = b;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return y->sound - x->sound;
}

static void sort(void *rows, size_t count, size_t row_bytes, int (*compare)(const void *a, const void *b))
{
	if (count > 0) /* without any, `rows` is NULL */
		qsort(rows, count, row_bytes, compare);
}

static bool pages_walk(struct trace_salvage *s)
{
	for (uint32_t page = 0; (page = trace_pages_next(s->pages, page)) != 0;) {
		uint16_t count = trace_records_count(s->pages, page);
		for (uint16_t i = 0; i < count; i++) {
			struct trace_cell cell = {page, i};
			if ((trace_salvage_record(s, cell) && !record_take(s, cell)) || s->no_memory)
				return false;
		}
	}
	sort(s->chunks, s->chunk_count, sizeof(*s->chunks), chunk_compare);
	sort(s->keyframes, s->keyframe_count, sizeof(*s->keyframes), keyframe_compare);
	sort(s->groups, s->group_count, sizeof(*s->groups), group_compare);
	trace_salvage_rows_sort(s);
	return true;
}

struct trace_salvage *trace_salvage_open(const char *path, struct error *error)
{
	struct trace_salvage *s = calloc(1, sizeof(*s));
	if (s)
		s->pages = trace_pages_open(path, error);
	if (s && s->pages && pages_walk(s))
		return s;
	error_set(error, STATUS_FAILED, "%s: no memory", path); /* the only failure that has no text yet */
	trace_salvage_close(s);
	return NULL;
}

void trace_salvage_close(struct trace_salvage *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->meta_count; i++) {
		free(s->metas[i].key);
		free(s->metas[i].text);
	}
	for (size_t i = 0; i < s->file_count; i++)
		free(s->files[i].name);
	free(s->chunks);
	free(s->metas);
	free(s->files);
	free(s->blobs);
	free(s->keyframes);
	free(s->groups);
	for (size_t i = 0; i < TRACE_SALVAGE_TABLE_COUNT; i++)
		free(s->rows[i].at);
	trace_record_free(&s->record);
	trace_pages_close(s->pages);
	free(s);
}

static uint8_t *decompressed(struct trace_salvage *s, uint8_t *raw)
{
	s->no_memory |= !raw && errno == ENOMEM;
	return raw;
}

uint8_t *trace_salvage_decompress(struct trace_salvage *s, struct trace_bytes stored, uint64_t raw_bytes)
{
	return decompressed(s, trace_decompress(stored.data, stored.count, raw_bytes));
}

uint8_t *trace_salvage_pages_decompress(struct trace_salvage *s, struct trace_bytes stored, uint64_t raw_bytes)
{
	return decompressed(s, trace_pages_decompress(stored.data, stored.count, raw_bytes));
}

uint8_t *trace_salvage_contents(struct trace_salvage *s, const struct trace_salvage_file *file, size_t *bytes)
{
	for (size_t i = 0; i < s->blob_count; i++) {
		uint8_t hash[TRACE_HASH_BYTES];
		const struct trace_column *columns = s->record.columns;
		if (memcmp(s->blobs[i].hash, file->hash, TRACE_HASH_BYTES) != 0 ||
		    !trace_salvage_record(s, s->blobs[i].cell) || s->record.column_count != 3)
			continue;
		*bytes = (size_t)columns[1].integer;
		uint8_t *raw = trace_salvage_decompress(s, blob_of(&columns[2]), *bytes);
		if (!raw)
			continue;
		trace_blob_hash(raw, *bytes, hash);
		if (memcmp(hash, file->hash, TRACE_HASH_BYTES) == 0)
			return raw;
		free(raw);
	}
	return NULL;
}

const uint8_t *trace_salvage_chunk_data(struct trace_salvage *s, const struct trace_salvage_chunk *chunk, size_t *bytes)
{
	if (!trace_salvage_record(s, chunk->cell) || s->record.column_count != CHUNK_COLUMNS)
		return NULL;
	*bytes = s->record.columns[CHUNK_DATA].byte_count;
	return s->record.columns[CHUNK_DATA].bytes;
}

bool trace_salvage_keyframe_data(struct trace_salvage *s, const struct trace_salvage_keyframe *keyframe,
				 struct trace_bytes *state, struct trace_bytes *same)
{
	if (!trace_salvage_record(s, keyframe->cell) || s->record.column_count != KEYFRAME_COLUMNS)
		return false;
	*state = blob_of(&s->record.columns[KEYFRAME_STATE]);
	*same = blob_of(&s->record.columns[KEYFRAME_SAME]);
	return true;
}

bool trace_salvage_group_data(struct trace_salvage *s, const struct trace_salvage_group *group,
			      struct trace_bytes *indexes, struct trace_bytes *data)
{
	if (!trace_salvage_record(s, group->cell) || s->record.column_count != GROUP_COLUMNS)
		return false;
	*indexes = blob_of(&s->record.columns[GROUP_INDEXES]);
	*data = blob_of(&s->record.columns[GROUP_DATA]);
	return true;
}

const struct trace_salvage_meta *trace_salvage_meta_find(const struct trace_salvage *s, const char *key)
{
	for (size_t i = 0; i < s->meta_count; i++) {
		if (strcmp(s->metas[i].key, key) == 0)
			return &s->metas[i];
	}
	return NULL;
}
