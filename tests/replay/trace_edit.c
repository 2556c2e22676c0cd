/* trace_edit: damages a finished trace on purpose, for tests/replay/test_corruption.py. It changes the file in place.
 *
 *   trace_edit events TRACE                 prints every event: INDEX KIND N PC ADDRESS VALUE VCPU SIZE
 *   trace_edit bytes TRACE                  prints how many bytes of event data are stored, and how many unpacked
 *   trace_edit stored TRACE BYTE MASK       XORs a stored byte; its checksum is wrong afterwards
 *   trace_edit checked TRACE BYTE MASK      the same with the checksum made right: lz4 sees it
 *   trace_edit raw TRACE BYTE MASK          XORs an unpacked byte, and packs again: the decoder sees it
 *   trace_edit event TRACE INDEX FIELD VALUE
 *                                           sets n, pc, address, value, kind, vcpu or size: only the replay can see it
 *   trace_edit seal TRACE                   makes the checksum of edited metadata right
 *
 * BYTE counts over all chunks in order. Exit status 1 and one line if it cannot be done. */
#include "storage/chunk.h"
#include "storage/trace_format.h"
#include "storage/trace_seal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct edit {
	sqlite3 *db;
	struct trace_chunk chunk;
	uint8_t *stored; /* malloc */
	size_t stored_bytes;
	uint8_t *raw;         /* malloc */
	struct event *events; /* malloc */
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "trace_edit: %s\n", what);
	exit(EXIT_FAILURE);
}

static void *allocated(void *memory)
{
	if (!memory)
		fail("out of memory");
	return memory;
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);
	if (end == text || *end)
		fail("that is not a number");
	return value;
}

static sqlite3_stmt *prepare(const struct edit *e, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(e->db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail(sqlite3_errmsg(e->db));
	return statement;
}

/* Takes in the row where `statement` stands; what was there before is freed. */
static void chunk_load(struct edit *e, sqlite3_stmt *statement)
{
	uint64_t *const fields[] = {&e->chunk.first_event, &e->chunk.event_count,   &e->chunk.first_n,
				    &e->chunk.last_n,      &e->chunk.start_idle_ns, &e->chunk.raw_bytes};
	for (int i = 0; i < 6; i++)
		*fields[i] = trace_u64_from_sql(sqlite3_column_int64(statement, i));
	free(e->stored);
	free(e->raw);
	free(e->events);
	e->stored_bytes = (size_t)sqlite3_column_bytes(statement, 6);
	e->stored = allocated(malloc(e->stored_bytes + 1));
	memcpy(e->stored, sqlite3_column_blob(statement, 6), e->stored_bytes);
	e->raw = trace_decompress(e->stored, e->stored_bytes, e->chunk.raw_bytes);
	e->events = allocated(calloc(e->chunk.event_count + 1, sizeof(*e->events)));
}

static void chunk_unpack(struct edit *e)
{
	struct error error = {.status = STATUS_OK};
	struct chunk_events events = {.at = e->events, .count = e->chunk.event_count};
	if (!e->raw)
		fail("a chunk is damaged already");
	if (!chunk_decode(e->raw, e->chunk.raw_bytes, &events, &error))
		fail(error.text);
}

static void chunk_pack(struct edit *e)
{
	free(e->stored);
	e->stored = allocated(trace_compress(e->raw, e->chunk.raw_bytes, true, &e->stored_bytes));
}

static void chunk_store(struct edit *e, bool checksum)
{
	sqlite3_stmt *update = prepare(e, "UPDATE chunk SET first_n = ?, last_n = ?, raw_bytes = ?, data = ?, "
					  "checksum = iif(?, ?, checksum) WHERE first_event = ?");
	uint64_t sum = trace_chunk_checksum(&e->chunk, e->stored, e->stored_bytes);
	sqlite3_bind_int64(update, 1, trace_sql_from_u64(e->chunk.first_n));
	sqlite3_bind_int64(update, 2, trace_sql_from_u64(e->chunk.last_n));
	sqlite3_bind_int64(update, 3, trace_sql_from_u64(e->chunk.raw_bytes));
	sqlite3_bind_blob64(update, 4, e->stored, e->stored_bytes, SQLITE_STATIC);
	sqlite3_bind_int(update, 5, checksum);
	sqlite3_bind_int64(update, 6, trace_sql_from_u64(sum));
	sqlite3_bind_int64(update, 7, trace_sql_from_u64(e->chunk.first_event));
	if (sqlite3_step(update) != SQLITE_DONE)
		fail(sqlite3_errmsg(e->db));
	sqlite3_finalize(update);
}

static void events_print(const struct edit *e)
{
	for (uint64_t i = 0; i < e->chunk.event_count; i++) {
		const struct event *event = &e->events[i];
		printf("%" PRIu64 " %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %u %u\n",
		       e->chunk.first_event + i, event->kind, event->n, event->pc, event->address, event->value,
		       event->vcpu, event->size);
	}
}

static void event_set(struct event *event, const char *field, uint64_t value)
{
	if (strcmp(field, "n") == 0)
		event->n = value;
	else if (strcmp(field, "pc") == 0)
		event->pc = value;
	else if (strcmp(field, "address") == 0)
		event->address = value;
	else if (strcmp(field, "value") == 0)
		event->value = value;
	else if (strcmp(field, "kind") == 0)
		event->kind = (uint16_t)value;
	else if (strcmp(field, "vcpu") == 0)
		event->vcpu = (uint8_t)value;
	else if (strcmp(field, "size") == 0)
		event->size = (uint8_t)value;
	else
		fail("an event has no such field");
}

static void event_edit(struct edit *e, uint64_t index, const char *field, uint64_t value)
{
	struct error error = {.status = STATUS_OK};
	size_t raw_bytes = 0;
	chunk_unpack(e);
	event_set(&e->events[index - e->chunk.first_event], field, value);
	free(e->raw);
	e->raw = NULL;
	if (!chunk_encode(e->events, e->chunk.event_count, e->chunk.start_idle_ns, &e->raw, &raw_bytes, &error))
		fail(error.text);
	e->chunk.raw_bytes = raw_bytes;
	e->chunk.first_n = e->events[0].n;
	e->chunk.last_n = e->events[e->chunk.event_count - 1].n;
	chunk_pack(e);
	chunk_store(e, true);
}

/* Edits byte `at` of this chunk, as `how` says. */
static void byte_edit(struct edit *e, const char *how, uint64_t at, uint64_t mask)
{
	bool raw = strcmp(how, "raw") == 0;
	if (raw && !e->raw)
		fail("a chunk is damaged already");
	uint8_t *byte = raw ? &e->raw[at] : &e->stored[at];
	*byte = (uint8_t)(*byte ^ mask);
	if (raw)
		chunk_pack(e);
	chunk_store(e, strcmp(how, "stored") != 0);
}

/* Calls the command on each chunk until one was edited. `before` counts what lies in earlier chunks. */
static bool chunk_visit(struct edit *e, int argc, char **argv, uint64_t before[2])
{
	bool edited = false;
	if (strcmp(argv[1], "events") == 0) {
		chunk_unpack(e);
		events_print(e);
	} else if (strcmp(argv[1], "event") == 0 && argc == 6) {
		uint64_t index = number(argv[3]);
		edited = index - e->chunk.first_event < e->chunk.event_count;
		if (edited)
			event_edit(e, index, argv[4], number(argv[5]));
	} else if (argc == 5) {
		bool raw = strcmp(argv[1], "raw") == 0;
		uint64_t at = number(argv[3]) - before[raw];
		edited = at < (raw ? e->chunk.raw_bytes : e->stored_bytes);
		if (edited)
			byte_edit(e, argv[1], at, number(argv[4]));
	}
	before[0] += e->stored_bytes;
	before[1] += e->chunk.raw_bytes;
	return edited;
}

static int seal(const char *path)
{
	sqlite3 *db;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK || trace_seal_write(db) != SQLITE_OK)
		fail("cannot seal");
	sqlite3_close(db);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct edit e = {0};
	uint64_t bytes[2] = {0};
	bool edited = false;
	if (argc == 3 && strcmp(argv[1], "seal") == 0)
		return seal(argv[2]);
	if (argc < 3 || sqlite3_open_v2(argv[2], &e.db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		fail("usage: trace_edit events|bytes|stored|checked|raw|event|seal TRACE …, a trace that can be "
		     "written");
	sqlite3_stmt *rows =
		prepare(&e, "SELECT first_event, event_count, first_n, last_n, start_idle_ns, raw_bytes, data "
			    "FROM chunk ORDER BY first_event");
	while (!edited && sqlite3_step(rows) == SQLITE_ROW) {
		chunk_load(&e, rows);
		edited = chunk_visit(&e, argc, argv, bytes);
	}
	sqlite3_finalize(rows);
	sqlite3_close(e.db);
	free(e.stored);
	free(e.raw);
	free(e.events);
	if (strcmp(argv[1], "bytes") == 0)
		printf("%" PRIu64 " %" PRIu64 "\n", bytes[0], bytes[1]);
	else if (!edited && strcmp(argv[1], "events") != 0)
		fail("nothing was edited: no such command, byte or event");
	return EXIT_SUCCESS;
}
