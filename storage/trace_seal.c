/* XXH3-64 over the items, each value with its length before it. */
#include "storage/trace_seal.h"
#include "storage/trace.h"
#include "storage/trace_format.h"
#include "storage/trace_limit.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct trace_sealing {
	XXH3_state_t *hash;
};

static void add_u64(struct trace_sealing *sealing, uint64_t value)
{
	uint8_t bytes[8];
	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	XXH3_64bits_update(sealing->hash, bytes, sizeof(bytes));
}

static void add_bytes(struct trace_sealing *sealing, const void *bytes, size_t count)
{
	add_u64(sealing, count);
	if (count > 0)
		XXH3_64bits_update(sealing->hash, bytes, count);
}

struct trace_sealing *trace_sealing_begin(void)
{
	struct trace_sealing *sealing = malloc(sizeof(*sealing));
	XXH3_state_t *hash = sealing ? XXH3_createState() : NULL;
	if (!hash) {
		free(sealing);
		return NULL;
	}
	XXH3_64bits_reset(hash);
	sealing->hash = hash;
	return sealing;
}

void trace_sealing_add(struct trace_sealing *sealing, const char *name, int type, const void *value, size_t bytes)
{
	add_bytes(sealing, name, strlen(name));
	add_u64(sealing, (uint64_t)type);
	add_bytes(sealing, value, bytes);
}

uint64_t trace_sealing_end(struct trace_sealing *sealing)
{
	uint64_t seal = XXH3_64bits_digest(sealing->hash);
	XXH3_freeState(sealing->hash);
	free(sealing);
	return seal;
}

/* The row (name, value). An integer is put as its bytes. */
static void row_add(struct trace_sealing *sealing, sqlite3_stmt *row, struct trace_seal *seal)
{
	const char *name = (const char *)sqlite3_column_text(row, 0);
	int type = sqlite3_column_type(row, 1);
	if (type == SQLITE_INTEGER) {
		uint64_t value = trace_u64_from_sql(sqlite3_column_int64(row, 1));
		if (strcmp(name, trace_meta_number_key(TRACE_META_CHECKSUM)) == 0) {
			seal->stored = value;
			seal->sealed = true;
			return;
		}
		uint8_t bytes[8];
		for (unsigned i = 0; i < 8; i++)
			bytes[i] = (uint8_t)(value >> 8 * i);
		trace_sealing_add(sealing, name, type, bytes, sizeof(bytes));
	} else {
		const void *value = sqlite3_column_blob(row, 1);
		trace_sealing_add(sealing, name, type, value, (size_t)sqlite3_column_bytes(row, 1));
	}
	seal->empty = false;
}

/* Whether the row can be one of a trace: a damaged table may lead back into itself, but then names do not grow. */
static bool row_is_good(sqlite3_stmt *row, const char *last)
{
	if (sqlite3_column_type(row, 0) != SQLITE_TEXT || sqlite3_column_bytes(row, 0) > TRACE_NAME_BYTES_MAX)
		return false;
	if (sqlite3_column_type(row, 1) != SQLITE_INTEGER && sqlite3_column_bytes(row, 1) > TRACE_TEXT_BYTES_MAX)
		return false;
	const char *name = (const char *)sqlite3_column_text(row, 0);
	return name && (!last || strcmp(last, name) < 0);
}

static int rows_add(sqlite3 *db, const char *sql, bool limited, struct trace_sealing *sealing, struct trace_seal *seal)
{
	sqlite3_stmt *row = NULL;
	char *last = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		if (limited)
			trace_limit_set(db);
		code = sqlite3_step(row);
		if (limited)
			trace_limit_clear(db);
		if (code != SQLITE_ROW)
			break;
		seal->wrong = !row_is_good(row, last);
		if (seal->wrong)
			break;
		row_add(sealing, row, seal);
		free(last);
		last = strdup((const char *)sqlite3_column_text(row, 0));
		code = last ? code : SQLITE_NOMEM;
	}
	free(last);
	sqlite3_finalize(row);
	return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}

int trace_seal_read(sqlite3 *db, bool limited, struct trace_seal *seal)
{
	struct trace_sealing *sealing = trace_sealing_begin();
	*seal = (struct trace_seal){.empty = true};
	if (!sealing)
		return SQLITE_NOMEM;
	int code = rows_add(db, "SELECT key, value FROM main.meta ORDER BY key", limited, sealing, seal);
	if (code == SQLITE_OK && !seal->wrong)
		code = rows_add(db, "SELECT name, hash FROM main.file ORDER BY name", limited, sealing, seal);
	seal->computed = trace_sealing_end(sealing);
	return code;
}

bool trace_seal_holds(const struct trace_seal *seal)
{
	return !seal->wrong && (seal->sealed ? seal->stored == seal->computed : seal->empty);
}

int trace_seal_write(sqlite3 *db)
{
	struct trace_seal seal;
	int code = trace_seal_read(db, false, &seal);
	char *sql = sqlite3_mprintf("INSERT OR REPLACE INTO main.meta VALUES('%s', %lld)",
				    trace_meta_number_key(TRACE_META_CHECKSUM), trace_sql_from_u64(seal.computed));
	if (code == SQLITE_OK)
		code = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
	sqlite3_free(sql);
	return code;
}
