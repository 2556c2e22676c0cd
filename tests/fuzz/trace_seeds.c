/* Loads and makes the seeds. They are small, because every case reads its file whole. */
#include "tests/fuzz/trace_seeds.h"
#include "storage/chunk.h"
#include "storage/trace.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void need(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_trace: %s\n", what);
	exit(EXIT_FAILURE);
}

static uint8_t *file_load(const char *path, size_t *bytes)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return NULL;
	fseek(file, 0, SEEK_END);
	*bytes = (size_t)ftell(file);
	rewind(file);
	uint8_t *data = malloc(*bytes + 1);
	need(data && fread(data, 1, *bytes, file) == *bytes, "a trace cannot be read");
	fclose(file);
	return data;
}

static void seed_load(struct seed *seed, const char *path)
{
	char wal[512];
	snprintf(wal, sizeof(wal), "%s-wal", path);
	seed->file = file_load(path, &seed->file_bytes);
	need(seed->file != NULL, "a trace is missing");
	seed->wal = file_load(wal, &seed->wal_bytes);
}

/* A copy in memory whose pages may be changed in a transaction, serialized, and rolled back. */
static void db_make(struct seed *seed, const char *path)
{
	sqlite3 *file = NULL;
	need(sqlite3_open_v2(path, &file, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
		     sqlite3_open(":memory:", &seed->db) == SQLITE_OK,
	     "sqlite cannot open a seed");
	sqlite3_backup *backup = sqlite3_backup_init(seed->db, "main", file, "main");
	need(backup && sqlite3_backup_step(backup, -1) == SQLITE_DONE, "sqlite cannot copy a seed");
	sqlite3_backup_finish(backup);
	sqlite3_close(file);
	/* so that a row can be made that a table of another kind would have */
	sqlite3_exec(seed->db, "PRAGMA writable_schema = ON", NULL, NULL, NULL);
}

static void chunk_load(struct seed_chunk *chunk, sqlite3_stmt *row)
{
	struct error error = {0};
	uint64_t *const fields[] = {&chunk->row.first_event, &chunk->row.event_count,   &chunk->row.first_n,
				    &chunk->row.last_n,      &chunk->row.start_idle_ns, &chunk->row.raw_bytes};
	for (int i = 0; i < 6; i++)
		*fields[i] = trace_u64_from_sql(sqlite3_column_int64(row, i));
	chunk->stored_bytes = (size_t)sqlite3_column_bytes(row, 6);
	chunk->stored = malloc(chunk->stored_bytes);
	chunk->events = calloc(chunk->row.event_count, sizeof(struct event));
	need(chunk->stored && chunk->events, "out of memory");
	memcpy(chunk->stored, sqlite3_column_blob(row, 6), chunk->stored_bytes);
	chunk->raw = trace_decompress(chunk->stored, chunk->stored_bytes, chunk->row.raw_bytes);
	struct chunk_events events = {.at = chunk->events, .count = chunk->row.event_count};
	need(chunk->raw && chunk_decode(chunk->raw, chunk->row.raw_bytes, &events, &error), "a seed is damaged");
}

static void chunks_load(struct seed *seed)
{
	sqlite3_stmt *rows = NULL;
	need(sqlite3_prepare_v2(seed->db,
				"SELECT first_event, event_count, first_n, last_n, start_idle_ns, raw_bytes, data "
				"FROM chunk ORDER BY first_event",
				-1, &rows, NULL) == SQLITE_OK,
	     "a seed has no chunks");
	while (sqlite3_step(rows) == SQLITE_ROW) {
		seed->chunks = realloc(seed->chunks, (seed->chunk_count + 1) * sizeof(*seed->chunks));
		need(seed->chunks != NULL, "out of memory");
		seed->chunks[seed->chunk_count] = (struct seed_chunk){0};
		chunk_load(&seed->chunks[seed->chunk_count++], rows);
	}
	sqlite3_finalize(rows);
}

static uint8_t *column_copy(sqlite3_stmt *row, int column, size_t *bytes)
{
	*bytes = (size_t)sqlite3_column_bytes(row, column);
	uint8_t *copy = malloc(*bytes + 1);
	need(copy != NULL, "out of memory");
	if (*bytes > 0)
		memcpy(copy, sqlite3_column_blob(row, column), *bytes);
	return copy;
}

/* The unpacked contents of a column. */
static uint8_t *column_unpack(sqlite3_stmt *row, int column, uint64_t raw_bytes,
			      uint8_t *(*unpack)(const void *stored, size_t stored_bytes, uint64_t raw_bytes))
{
	size_t bytes = 0;
	uint8_t *stored = column_copy(row, column, &bytes), *raw = unpack(stored, bytes, raw_bytes);
	need(raw != NULL, "a seed is damaged");
	free(stored);
	return raw;
}

/* Calls `take` for each row; a table that is not there has none. */
static void rows_load(struct seed *seed, const char *sql, void (*take)(struct seed *seed, sqlite3_stmt *row))
{
	sqlite3_stmt *rows = NULL;
	if (sqlite3_prepare_v2(seed->db, sql, -1, &rows, NULL) != SQLITE_OK)
		return;
	while (sqlite3_step(rows) == SQLITE_ROW)
		take(seed, rows);
	sqlite3_finalize(rows);
}

static void keyframe_take(struct seed *seed, sqlite3_stmt *row)
{
	seed->keyframes = realloc(seed->keyframes, (seed->keyframe_count + 1) * sizeof(*seed->keyframes));
	need(seed->keyframes != NULL, "out of memory");
	struct seed_keyframe *keyframe = &seed->keyframes[seed->keyframe_count++];
	uint64_t *const fields[] = {&keyframe->row.n, &keyframe->row.next_event, &keyframe->row.first_group,
				    &keyframe->row.group_count, &keyframe->state_bytes};
	for (int i = 0; i < 5; i++)
		*fields[i] = trace_u64_from_sql(sqlite3_column_int64(row, i));
	keyframe->state = column_unpack(row, 5, keyframe->state_bytes, trace_decompress);
	keyframe->same = column_copy(row, 6, &keyframe->same_bytes);
}

static void group_take(struct seed *seed, sqlite3_stmt *row)
{
	seed->groups = realloc(seed->groups, (seed->group_count + 1) * sizeof(*seed->groups));
	need(seed->groups != NULL, "out of memory");
	struct seed_group *group = &seed->groups[seed->group_count++];
	group->id = trace_u64_from_sql(sqlite3_column_int64(row, 0));
	group->page_count = trace_u64_from_sql(sqlite3_column_int64(row, 1));
	memcpy(group->indexes, sqlite3_column_blob(row, 2), group->page_count * 4);
	group->pages = column_unpack(row, 3, group->page_count * TRACE_PAGE_BYTES, trace_pages_decompress);
}

static void device_take(struct seed *seed, sqlite3_stmt *row)
{
	(void)row;
	seed->has_devices = true;
}

static void parts_load(struct seed *seed, const char *path)
{
	db_make(seed, path);
	chunks_load(seed);
	rows_load(seed,
		  "SELECT n, next_event, first_group, group_count, state_bytes, state, same FROM keyframe ORDER BY n",
		  keyframe_take);
	rows_load(seed, "SELECT id, page_count, indexes, data FROM page_group ORDER BY id", group_take);
	rows_load(seed, "SELECT 1 FROM block_version", device_take);
}

static void seed_copy_of_golden(struct seed *seed, const char *golden, const char *path)
{
	size_t bytes = 0;
	uint8_t *data = file_load(golden, &bytes);
	FILE *file = fopen(path, "we");
	need(data && file && fwrite(data, 1, bytes, file) == bytes && fclose(file) == 0, "a trace cannot be copied");
	free(data);
	seed_load(seed, path);
	parts_load(seed, path);
}

static const struct seed_recipe recipes[] = {
	{.event_count = 60, .commit_step = 20, .finished = true},
	{.event_count = 60, .commit_step = 20},
	{.event_count = 0, .commit_step = 1, .finished = true},
	{.event_count = 60, .commit_step = 20, .wal = true},
	{.event_count = 20, .commit_step = 4, .wal = true},
	{.event_count = 0, .commit_step = 1, .wal = true},
	{.event_count = 60, .commit_step = 30, .keyframe_step = 15, .pages = 7, .finished = true},
	{.event_count = 60, .commit_step = 10, .keyframe_step = 11, .pages = 70, .finished = true},
	{.event_count = 60, .commit_step = 25, .keyframe_step = 15, .pages = 4},
	{.event_count = 60, .commit_step = 25, .keyframe_step = 12, .pages = 4, .wal = true},
	{.event_count = 60, .commit_step = 30, .keyframe_step = 13, .pages = 6, .forget_to = 39, .finished = true},
	{.event_count = 60, .commit_step = 10, .keyframe_step = 15, .pages = 3, .start_at = 77, .finished = true},
	{.event_count = 60, .commit_step = 30, .keyframe_step = 14, .pages = 5, .forget_to = 28, .wal = true},
	{.event_count = 60, .commit_step = 30, .device_step = 2, .finished = true},
	{.event_count = 60, .commit_step = 20, .device_step = 3},
	{.event_count = 60, .commit_step = 25, .device_step = 5, .wal = true},
	{.event_count = 60,
	 .commit_step = 30,
	 .keyframe_step = 14,
	 .pages = 5,
	 .forget_to = 28,
	 .device_step = 1,
	 .finished = true},
};

static void seed_from_recipe(struct seed *seed, const struct seed_recipe *recipe, const char *path)
{
	struct error error = {.status = STATUS_OK};
	struct trace_writer *w = trace_seeds_write(path, recipe, &error);
	need(w != NULL, error.text);
	if (recipe->wal)
		seed_load(seed, path);
	need(!recipe->finished || trace_finish(w, &error), error.text);
	trace_writer_free(w);
	if (!recipe->wal)
		seed_load(seed, path);
	parts_load(seed, path);
}

size_t trace_seeds_make(const char *golden, const char *folder, struct seed seeds[SEEDS_MAX], size_t *golden_count)
{
	char path[512];
	char pattern[512];
	glob_t found = {0};
	size_t count = 0;
	snprintf(path, sizeof(path), "%s/seed", folder);
	snprintf(pattern, sizeof(pattern), "%s/*.trace", golden);
	for (size_t i = 0; i < sizeof(recipes) / sizeof(recipes[0]); i++)
		seed_from_recipe(&seeds[count++], &recipes[i], path);
	need(glob(pattern, 0, NULL, &found) == 0, "the golden traces are not there: run it in the source tree");
	*golden_count = found.gl_pathc;
	need(count + found.gl_pathc <= SEEDS_MAX, "there are more golden traces than SEEDS_MAX allows");
	for (size_t i = 0; i < found.gl_pathc; i++)
		seed_copy_of_golden(&seeds[count++], found.gl_pathv[i], path);
	globfree(&found);
	remove(path);
	return count;
}
