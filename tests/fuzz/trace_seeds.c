/* Loads and makes the seeds. They are small, because every case reads its file whole. */
#include "tests/fuzz/trace_seeds.h"
#include "storage/chunk.h"
#include "storage/trace.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MADE_EVENTS = 150 };

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

static struct event event_at(uint64_t i)
{
	static const uint16_t kinds[] = {EVENT_MMIO_READ,    EVENT_MMIO_WRITE, EVENT_EXIT,  EVENT_INJECT,
					 EVENT_SYSREG_WRITE, EVENT_IDLE,       EVENT_INPUT, EVENT_SMCCC_CALL};
	uint16_t kind = kinds[i * i % 23 % 8];
	return (struct event){.n = i * 90 + i % 7,
			      .pc = 0xffff800008000000 + i % 5 * 4,
			      .address = kind == EVENT_EXIT ? EXIT_REASON_VTIMER : 0x09000000 + i % 3,
			      .value = kind == EVENT_IDLE ? 1000 : (uint64_t) "the guest's console\n"[i % 20],
			      .kind = kind,
			      .size = 4};
}

/* A trace of `count` events in chunks of `step`. */
static struct trace_writer *made(const char *path, uint64_t count, uint64_t step)
{
	struct error error = {0};
	struct trace_writer *w = trace_create(path, &error);
	bool good = w && trace_put_file(w, "kernel", "some code", 9, &error) &&
		    trace_put_file(w, "ram/40000000", path, strlen(path), &error) &&
		    trace_put_file(w, "initrd", NULL, 0, &error) && trace_put_text(w, "bootargs", "quiet", &error) &&
		    trace_put_text(w, "kernel_name", "Image", &error) && trace_put_u64(w, "ram_bytes", 1 << 29, &error);
	for (uint64_t i = 0; good && i < count; i++) {
		struct event event = event_at(i);
		good = trace_append(w, &event, 1, &error) && (i % step != step - 1 || trace_commit(w, &error));
	}
	need(good && trace_commit(w, &error), error.text);
	return w;
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
}

static void chunk_load(struct seed_chunk *chunk, sqlite3_stmt *row)
{
	struct error error = {0};
	uint64_t start_idle_ns = 0;
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
	need(chunk->raw && chunk_decode(chunk->raw, chunk->row.raw_bytes, chunk->events, chunk->row.event_count,
					&start_idle_ns, &error),
	     "a seed is damaged");
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

static void seed_from(struct seed *seed, const char *path)
{
	seed_load(seed, path);
	db_make(seed, path);
	chunks_load(seed);
}

static void seed_copy_of_golden(struct seed *seed, const char *golden, const char *path)
{
	size_t bytes = 0;
	uint8_t *data = file_load(golden, &bytes);
	FILE *file = fopen(path, "we");
	need(data && file && fwrite(data, 1, bytes, file) == bytes && fclose(file) == 0, "a trace cannot be copied");
	free(data);
	seed_from(seed, path);
}

size_t trace_seeds_make(const char *golden, const char *folder, struct seed seeds[SEEDS_MAX])
{
	static const struct {
		uint64_t count, step;
		bool finished, wal;
	} recipes[] = {{MADE_EVENTS, 30, true, false},
		       {MADE_EVENTS, 30, false, false},
		       {0, 1, true, false},
		       {MADE_EVENTS, 50, false, true},
		       {20, 4, false, true},
		       {0, 1, false, true}};
	char path[512];
	char pattern[512];
	glob_t found = {0};
	struct error error = {0};
	size_t count = 0;
	snprintf(path, sizeof(path), "%s/seed", folder);
	snprintf(pattern, sizeof(pattern), "%s/*.trace", golden);
	need(glob(pattern, 0, NULL, &found) == 0, "the golden traces are not there: run it in the source tree");
	for (size_t i = 0; i < found.gl_pathc && count < SEEDS_MAX / 2; i++)
		seed_copy_of_golden(&seeds[count++], found.gl_pathv[i], path);
	globfree(&found);
	for (size_t i = 0; i < sizeof(recipes) / sizeof(recipes[0]); i++) {
		struct trace_writer *w = made(path, recipes[i].count, recipes[i].step);
		if (recipes[i].wal)
			seed_load(&seeds[count], path);
		need(!recipes[i].finished || trace_finish(w, &error), error.text);
		trace_writer_free(w);
		if (!recipes[i].wal)
			seed_load(&seeds[count], path);
		db_make(&seeds[count], path);
		chunks_load(&seeds[count++]);
	}
	remove(path);
	return count;
}
