/* What disks and packets held: numbers of rows, their raw bytes and their stored bytes, each with the checksum that
 * fits, so that what is behind the checksum is reached; runs made anew; rows that are missing, doubled, or of other
 * types. */
#include "storage/trace_payload.h"
#include "storage/trace_runs.h"
#include "tests/fuzz/random.h"
#include "tests/fuzz/trace_mutate.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBERS_MAX = 4, RAW_BYTES_MAX = 1 << 18, ROWS_MAX = 16 };

/* A table: a row is its numbers, its checksum, its data. */
static const struct table {
	const char *select, *update;
	int number_count;
	bool runs;
} tables[] = {
	{"SELECT id, content_count, data FROM block_group LIMIT 1 OFFSET ?1",
	 "UPDATE OR REPLACE block_group SET id = ?1, content_count = ?2, checksum = ?3, data = ?5 WHERE id = ?4", 2,
	 false},
	{"SELECT first_version, version_count, raw_bytes, data FROM block_version LIMIT 1 OFFSET ?1",
	 "UPDATE OR REPLACE block_version SET first_version = ?1, version_count = ?2, raw_bytes = ?3, checksum = ?4, "
	 "data = ?6 WHERE first_version = ?5",
	 3, true},
	{"SELECT first_event, last_event, payload_count, raw_bytes, data FROM payload_group LIMIT 1 OFFSET ?1",
	 "UPDATE OR REPLACE payload_group SET first_event = ?1, last_event = ?2, payload_count = ?3, raw_bytes = ?4, "
	 "checksum = ?5, data = ?7 WHERE first_event = ?6",
	 4, false},
};

struct row {
	uint64_t numbers[NUMBERS_MAX + 2]; /* the checksum behind them, and then the old key */
	uint8_t raw[RAW_BYTES_MAX];
	size_t raw_bytes;
	uint8_t stored[MUTATE_BYTES_MAX];
	size_t stored_bytes;
};

static struct row row;

static uint64_t raw_bytes_of(const struct table *table, const uint64_t *numbers)
{
	return table->number_count == 2 ? numbers[1] * TRACE_BLOCK_BYTES : numbers[table->number_count - 1];
}

/* Any row of the table; false: it has none so far on. */
static bool row_load(sqlite3 *db, const struct table *table)
{
	sqlite3_stmt *statement = NULL;
	bool found = sqlite3_prepare_v2(db, table->select, -1, &statement, NULL) == SQLITE_OK;
	if (found) {
		sqlite3_bind_int64(statement, 1, (sqlite3_int64)(random_below(4) ? 0 : random_below(ROWS_MAX)));
		found = sqlite3_step(statement) == SQLITE_ROW &&
			sqlite3_column_bytes(statement, table->number_count) <= MUTATE_BYTES_MAX;
	}
	for (int i = 0; found && i < table->number_count; i++)
		row.numbers[i] = trace_u64_from_sql(sqlite3_column_int64(statement, i));
	if (found) {
		row.stored_bytes = (size_t)sqlite3_column_bytes(statement, table->number_count);
		if (row.stored_bytes > 0)
			memcpy(row.stored, sqlite3_column_blob(statement, table->number_count), row.stored_bytes);
		row.raw_bytes = (size_t)raw_bytes_of(table, row.numbers);
		uint8_t *raw = trace_zstd_decompress(row.stored, row.stored_bytes, row.raw_bytes, sizeof(row.raw));
		found = raw != NULL; /* else it was changed before */
		if (found)
			memcpy(row.raw, raw, row.raw_bytes);
		free(raw);
	}
	sqlite3_finalize(statement);
	return found;
}

static void pack(void)
{
	uint8_t *stored = trace_zstd_compress(row.raw, row.raw_bytes, TRACE_LEVEL_DEVICES, &row.stored_bytes);
	if (!stored || row.stored_bytes > sizeof(row.stored))
		abort();
	memcpy(row.stored, stored, row.stored_bytes);
	free(stored);
}

/* Runs that no writer would put, of huge counts and of any content, but in a form that is right. */
static void runs_make(void)
{
	struct bytes out = {0};
	uint64_t versions = 0, next = random_below(3) * random_below(70);
	bytes_put_varint(&out, next);
	for (uint64_t left = random_below(12); left > 0; left--) {
		uint64_t count = random_below(3) ? random_below(5) : trace_mutate_number() >> random_below(64);
		bytes_put_varint(&out, zigzag(random_below(60) - random_below(30)) << 1);
		bytes_put_varint(&out, random_below(4));
		bytes_put_varint(&out, random_below(8) ? random_below(4) : random_below(80));
		bytes_put_varint(&out, count);
		versions += count + 1;
	}
	memcpy(row.raw, out.data, out.count);
	row.raw_bytes = out.count;
	row.numbers[1] = versions;
	row.numbers[2] = out.count;
	free(out.data);
	pack();
}

static void raw_edit(const struct table *table)
{
	trace_mutate_bytes(row.raw, &row.raw_bytes, 16);
	if (table->number_count > 2 && random_below(4))
		row.numbers[table->number_count - 1] = row.raw_bytes;
	pack();
}

static void row_edit(sqlite3 *db)
{
	const struct table *table = &tables[random_below(sizeof(tables) / sizeof(tables[0]))];
	int count = table->number_count;
	if (!row_load(db, table))
		return;
	uint64_t old_key = row.numbers[0], *number = &row.numbers[random_below((uint64_t)count)];
	switch (random_below(8)) {
	case 0:
	case 1:
		*number = random_below(2) ? trace_mutate_number() : *number + random_below(5) - 2;
		break;
	case 2:
		trace_mutate_bytes(row.stored, &row.stored_bytes, 16);
		break;
	case 3:
	case 4:
		if (table->runs) {
			runs_make();
			break;
		} /* fall through */
	default:
		raw_edit(table);
	}
	const struct trace_bytes data = {row.stored, row.stored_bytes};
	row.numbers[count] = trace_row_checksum(row.numbers, (size_t)count, data) + (random_below(32) == 0);
	row.numbers[count + 1] = old_key;
	trace_mutate_put(db, table->update, row.numbers, count + 2, &data, 1);
}

static void table_edit(sqlite3 *db)
{
	static const char *const statements[] = {
		"UPDATE OR REPLACE block_group SET id = ?1 WHERE id = 0",
		"UPDATE block_group SET content_count = ?1",
		"UPDATE block_group SET checksum = ?1",
		"UPDATE block_group SET data = ?1",
		"UPDATE OR REPLACE block_version SET first_version = ?1 WHERE first_version = 0",
		"UPDATE block_version SET version_count = ?1",
		"UPDATE block_version SET raw_bytes = ?1",
		"UPDATE block_version SET checksum = ?1",
		"UPDATE block_version SET data = ?1",
		("UPDATE OR REPLACE payload_group SET first_event = ?1 WHERE first_event = (SELECT min(first_event) "
		 "FROM "
		 "payload_group)"),
		"UPDATE payload_group SET last_event = ?1",
		"UPDATE payload_group SET payload_count = ?1",
		"UPDATE payload_group SET raw_bytes = ?1",
		"UPDATE payload_group SET checksum = ?1",
		"UPDATE payload_group SET data = ?1",
		"UPDATE meta SET value = ?1 WHERE key = 'block_versions'",
		"UPDATE meta SET value = ?1 WHERE key = 'payloads'",
		"DELETE FROM block_group",
		"DELETE FROM block_version",
		"DELETE FROM payload_group",
		"DELETE FROM block_group WHERE id = ?2",
		"DELETE FROM meta WHERE key = 'block_versions'",
		"DELETE FROM meta WHERE key = 'complete'",
		("INSERT OR REPLACE INTO block_version SELECT first_version + version_count, version_count, raw_bytes, "
		 "checksum, data FROM block_version"),
		("INSERT OR REPLACE INTO payload_group SELECT last_event + 1, last_event, payload_count, raw_bytes, "
		 "checksum, data FROM payload_group"),
		"INSERT OR REPLACE INTO meta SELECT 'start_n', max(n) FROM keyframe",
		"DROP TABLE block_group",
		"DROP TABLE block_version",
		"DROP TABLE payload_group",
		"ALTER TABLE block_version RENAME COLUMN raw_bytes TO bytes",
	};
	trace_mutate_value(db, statements[random_below(sizeof(statements) / sizeof(statements[0]))]);
}

void trace_mutate_devices(struct seed *seed)
{
	for (uint64_t left = 1 + random_below(3); left > 0; left--) {
		if (random_below(4))
			row_edit(seed->db);
		else
			table_edit(seed->db);
	}
}
