/* Rows: a chunk's raw bytes, stored bytes, fields and events, each with the checksum that fits, so that what is behind
 * the checksum is reached; and metadata, named files, types and tables as no writer would write them. */
#include "storage/chunk.h"
#include "storage/trace_seal.h"
#include "tests/fuzz/random.h"
#include "tests/fuzz/trace_mutate.h"

#include <stdlib.h>
#include <string.h>

static uint8_t room[MUTATE_BYTES_MAX];

uint64_t trace_mutate_number(void)
{
	static const uint64_t edges[] = {0,         1,         2,          255,       65535,
					 65536,     65537,     6819840,    6819841,   943718400,
					 943718401, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_C(1) << 63,
					 UINT64_MAX};
	return random_below(4) ? edges[random_below(sizeof(edges) / sizeof(edges[0]))] : random_u64();
}

void trace_mutate_value(sqlite3 *db, const char *sql)
{
	static const char *const texts[] = {
		"",        "text",          "12",          "\x01\x1b[2J\n", "ram/40000000", "ram/zzz",
		"flash/0", "flash/3ffffff", "\xff\xfe\x80"};
	uint8_t noise[40];
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		return;
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)random_u64();
	switch (random_below(6)) {
	case 0:
		sqlite3_bind_text(statement, 1, texts[random_below(sizeof(texts) / sizeof(texts[0]))], -1,
				  SQLITE_STATIC);
		break;
	case 1:
		sqlite3_bind_double(statement, 1, (double)random_u64());
		break;
	case 2:
		sqlite3_bind_blob(statement, 1, noise, (int)random_below(sizeof(noise)), SQLITE_STATIC);
		break;
	case 3:
		sqlite3_bind_zeroblob(statement, 1, (int)random_below(20000));
		break;
	default:
		sqlite3_bind_int64(statement, 1, trace_sql_from_u64(trace_mutate_number()));
	}
	if (sqlite3_bind_parameter_count(statement) > 1)
		sqlite3_bind_int64(statement, 2, (sqlite3_int64)random_below(16));
	sqlite3_step(statement);
	sqlite3_finalize(statement);
}

/* A chunk as it will be stored. */
struct edited {
	struct trace_chunk row;
	uint8_t *stored; /* malloc */
	size_t stored_bytes;
};

static void pack(struct edited *edited, const void *raw, size_t raw_bytes)
{
	free(edited->stored);
	edited->stored = trace_compress(raw, raw_bytes, false, &edited->stored_bytes);
	edited->row.raw_bytes = raw_bytes;
}

static void raw_edit(struct edited *edited, const struct seed_chunk *chunk)
{
	size_t bytes = (size_t)chunk->row.raw_bytes;
	memcpy(room, chunk->raw, bytes);
	trace_mutate_bytes(room, &bytes, 32);
	pack(edited, room, bytes);
}

static void stored_edit(struct edited *edited)
{
	memcpy(room, edited->stored, edited->stored_bytes);
	trace_mutate_bytes(room, &edited->stored_bytes, 16);
	free(edited->stored);
	edited->stored = malloc(edited->stored_bytes + 1);
	if (!edited->stored)
		abort();
	memcpy(edited->stored, room, edited->stored_bytes);
}

static void field_edit(struct edited *edited)
{
	uint64_t *const fields[] = {&edited->row.first_event, &edited->row.event_count,   &edited->row.first_n,
				    &edited->row.last_n,      &edited->row.start_idle_ns, &edited->row.raw_bytes};
	uint64_t *field = fields[random_below(6)];
	*field = random_below(2) ? trace_mutate_number() : *field + random_below(5) - 2;
}

static void event_edit(struct event *event)
{
	switch (random_below(7)) {
	case 0:
		event->n = trace_mutate_number();
		break;
	case 1:
		event->pc = trace_mutate_number();
		break;
	case 2:
		event->address = trace_mutate_number();
		break;
	case 3:
		event->value = trace_mutate_number();
		break;
	case 4:
		event->kind = (uint16_t)(random_below(2) ? random_below(20) : trace_mutate_number());
		break;
	case 5:
		event->vcpu = (uint8_t)trace_mutate_number();
		break;
	default:
		event->size = (uint8_t)trace_mutate_number();
	}
}

/* Events that no guest has, in a chunk as sound as any. */
static void events_edit(struct edited *edited, const struct seed_chunk *chunk)
{
	struct error error = {0};
	size_t count = (size_t)chunk->row.event_count;
	struct event *events = malloc(count * sizeof(*events));
	uint8_t *raw = NULL;
	size_t raw_bytes = 0;
	if (!events)
		abort();
	memcpy(events, chunk->events, count * sizeof(*events));
	for (uint64_t left = 1 + random_below(4); left > 0; left--)
		event_edit(&events[random_below(count)]);
	edited->row.first_n = events[0].n;
	edited->row.last_n = events[count - 1].n;
	if (chunk_encode(events, count, edited->row.start_idle_ns, &raw, &raw_bytes, &error))
		pack(edited, raw, raw_bytes);
	free(raw);
	free(events);
}

void trace_mutate_put(sqlite3 *db, const char *sql, const uint64_t *numbers, int number_count,
		      const struct trace_bytes *blobs, int blob_count)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		return;
	for (int i = 0; i < number_count; i++)
		sqlite3_bind_int64(statement, i + 1, trace_sql_from_u64(numbers[i]));
	for (int i = 0; i < blob_count; i++)
		sqlite3_bind_blob64(statement, number_count + i + 1, blobs[i].data, blobs[i].count, SQLITE_STATIC);
	sqlite3_step(statement);
	sqlite3_finalize(statement);
}

static void chunk_store(sqlite3 *db, const struct edited *edited, uint64_t old_first_event)
{
	const struct trace_chunk *row = &edited->row;
	uint64_t checksum = trace_chunk_checksum(row, edited->stored, edited->stored_bytes);
	const uint64_t columns[] = {row->first_event,
				    row->event_count,
				    row->first_n,
				    row->last_n,
				    row->start_idle_ns,
				    row->raw_bytes,
				    checksum + (random_below(32) == 0),
				    old_first_event};
	const struct trace_bytes data = {edited->stored, edited->stored_bytes};
	trace_mutate_put(db,
			 "UPDATE OR REPLACE chunk SET first_event = ?1, event_count = ?2, first_n = ?3, last_n = ?4, "
			 "start_idle_ns = ?5, raw_bytes = ?6, checksum = ?7, data = ?9 WHERE first_event = ?8",
			 columns, 8, &data, 1);
}

static void chunk_edit(struct seed *seed)
{
	if (seed->chunk_count == 0)
		return;
	const struct seed_chunk *chunk = &seed->chunks[random_below(seed->chunk_count)];
	struct edited edited = {.row = chunk->row, .stored_bytes = chunk->stored_bytes};
	edited.stored = malloc(chunk->stored_bytes);
	if (!edited.stored)
		abort();
	memcpy(edited.stored, chunk->stored, chunk->stored_bytes);
	switch (random_below(8)) {
	case 0:
	case 1:
	case 2:
		raw_edit(&edited, chunk);
		break;
	case 3:
	case 4:
		events_edit(&edited, chunk);
		break;
	case 5:
		stored_edit(&edited);
		break;
	default:
		field_edit(&edited);
	}
	if (edited.stored)
		chunk_store(seed->db, &edited, chunk->row.first_event);
	free(edited.stored);
}

/* A named file with other contents: the blob that its hash names, packed anew. */
static void contents_edit(sqlite3 *db)
{
	uint8_t raw[64];
	uint8_t hash[TRACE_HASH_BYTES];
	size_t raw_bytes = random_below(sizeof(raw)), stored_bytes = 0;
	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)random_u64();
	trace_blob_hash(raw, raw_bytes, hash);
	uint8_t *stored = trace_compress(raw, raw_bytes, false, &stored_bytes);
	sqlite3_stmt *insert = NULL;
	if (sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO blob VALUES(?1, ?2, ?3)", -1, &insert, NULL) == SQLITE_OK) {
		sqlite3_bind_blob(insert, 1, hash, sizeof(hash), SQLITE_STATIC);
		sqlite3_bind_int64(insert, 2, trace_sql_from_u64(random_below(2) ? raw_bytes : trace_mutate_number()));
		sqlite3_bind_blob64(insert, 3, stored, stored_bytes, SQLITE_STATIC);
		sqlite3_step(insert);
	}
	sqlite3_finalize(insert);
	free(stored);
	sqlite3_exec(db,
		     "UPDATE file SET hash = (SELECT hash FROM blob ORDER BY rowid DESC LIMIT 1) WHERE name = 'kernel'",
		     NULL, NULL, NULL);
}

/* One place with any value; or a statement. */
static void table_edit(sqlite3 *db)
{
	static const char *const statements[] = {
		"UPDATE meta SET value = ?1 WHERE key = 'events'",
		"UPDATE meta SET value = ?1 WHERE key = 'complete'",
		"INSERT OR REPLACE INTO meta VALUES('complete', 1)",
		"UPDATE meta SET value = ?1 WHERE key = (SELECT key FROM meta ORDER BY key LIMIT 1 OFFSET ?2)",
		"UPDATE OR REPLACE meta SET key = ?1 WHERE key = (SELECT key FROM meta ORDER BY key LIMIT 1 OFFSET ?2)",
		"INSERT OR REPLACE INTO meta VALUES('bootargs', ?1)",
		"INSERT OR REPLACE INTO meta VALUES('kernel_name', ?1)",
		"INSERT OR REPLACE INTO meta VALUES('ram_bytes', ?1)",
		"INSERT OR REPLACE INTO meta VALUES('entry_ipa', ?1)",
		"UPDATE file SET hash = ?1 WHERE name = 'kernel'",
		"UPDATE OR REPLACE file SET name = ?1 WHERE name = 'kernel'",
		"UPDATE blob SET raw_bytes = ?1",
		"UPDATE blob SET data = ?1",
		"UPDATE OR REPLACE blob SET hash = ?1",
		"UPDATE chunk SET event_count = ?1",
		"UPDATE chunk SET first_n = ?1",
		"UPDATE chunk SET raw_bytes = ?1",
		"UPDATE chunk SET checksum = ?1",
		"UPDATE chunk SET data = ?1",
		"UPDATE OR REPLACE chunk SET first_event = ?1 WHERE first_event = 0",
		("INSERT OR REPLACE INTO chunk SELECT first_event + event_count, event_count, first_n, last_n, "
		 "start_idle_ns, raw_bytes, checksum, data FROM chunk"),
		"DELETE FROM chunk WHERE first_event > 0",
		"DELETE FROM chunk",
		"DELETE FROM blob",
		"DELETE FROM meta",
		"DROP TABLE meta",
		"DROP TABLE chunk",
		"ALTER TABLE chunk ADD COLUMN more DEFAULT 1",
		"ALTER TABLE file RENAME COLUMN name TO title",
		"CREATE TABLE more(a, b)",
		"CREATE VIEW v AS SELECT load_extension('x')",
		"CREATE VIEW events AS SELECT first_event AS event, last_n AS n FROM chunk",
		"CREATE TABLE console(text)",
		"CREATE VIEW keyframes AS SELECT n, state_bytes FROM keyframe",
		("INSERT INTO sqlite_schema VALUES('table', 'events', 'events', 0, "
		 "'CREATE VIRTUAL TABLE events USING hvrec_console')"),
		("INSERT INTO sqlite_schema VALUES('table', 'console', 'console', 0, "
		 "'CREATE VIRTUAL TABLE console USING hvrec_events(''/dev/null'')')"),
		"CREATE INDEX i ON chunk(first_n, abs(last_n))",
		"CREATE TRIGGER t AFTER INSERT ON chunk BEGIN DELETE FROM meta; END",
		"PRAGMA user_version = 1",
		"PRAGMA user_version = 2",
		"PRAGMA user_version = 3",
		"PRAGMA user_version = 4",
		"PRAGMA application_id = 7",
	};
	trace_mutate_value(db, statements[random_below(sizeof(statements) / sizeof(statements[0]))]);
}

void trace_mutate_rows(struct seed *seed)
{
	for (uint64_t left = 1 + random_below(2); left > 0; left--) {
		uint64_t what = random_below(8);
		if (what < 5)
			chunk_edit(seed);
		else if (what < 6)
			contents_edit(seed->db);
		else
			table_edit(seed->db);
	}
}

size_t trace_mutate_db(struct seed *seed, trace_mutate_fn *change, uint8_t *data)
{
	enum { HEADER_WRITE_VERSION = 18, HEADER_READ_VERSION = 19 };
	sqlite3_int64 bytes = 0;
	sqlite3_exec(seed->db, "BEGIN", NULL, NULL, NULL);
	change(seed);
	if (random_below(4) != 0)
		trace_seal_write(seed->db);
	unsigned char *image = sqlite3_serialize(seed->db, "main", &bytes, 0);
	if (!image || bytes > MUTATE_BYTES_MAX)
		bytes = 0;
	if (bytes > 0) {
		memcpy(data, image, (size_t)bytes);
		data[HEADER_WRITE_VERSION] = data[HEADER_READ_VERSION] = (uint8_t)(1 + random_below(2));
	}
	sqlite3_free(image);
	sqlite3_exec(seed->db, "ROLLBACK", NULL, NULL, NULL);
	return (size_t)bytes;
}
