/* keyframe_edit: changes a keyframe of a finished trace in place and makes the checksums right again, so that only
 * `hvrec verify` can see it.
 *
 *   keyframe_edit TRACE K FIELD AT MASK      K counts the keyframes from 0
 *
 * FIELD: state (byte AT of the guest's state is XORed with MASK), next_event (MASK is added), page (byte AT of its
 * first page group's pages), index (byte AT of that group's list of pages), same (MASK is put into its list of same
 * pages, which begins with AT). Exit status 1 and one line if it cannot be done. */
#include "hv/abi/guest_state.h"
#include "storage/trace_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static sqlite3 *db;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "keyframe_edit: %s\n", what);
	exit(EXIT_FAILURE);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);
	if (end == text || *end)
		fail("that is not a number");
	return value;
}

static sqlite3_stmt *prepare(const char *sql, uint64_t parameter)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail(sqlite3_errmsg(db));
	sqlite3_bind_int64(statement, 1, trace_sql_from_u64(parameter));
	return statement;
}

static sqlite3_stmt *row_find(const char *sql, uint64_t parameter)
{
	sqlite3_stmt *row = prepare(sql, parameter);
	if (sqlite3_step(row) != SQLITE_ROW)
		fail("there is no such keyframe, or it has no page group");
	return row;
}

static uint64_t column(sqlite3_stmt *row, int at)
{
	return trace_u64_from_sql(sqlite3_column_int64(row, at));
}

static struct trace_bytes blob(sqlite3_stmt *row, int at)
{
	const void *data = sqlite3_column_blob(row, at);
	return (struct trace_bytes){data ? data : "", (size_t)sqlite3_column_bytes(row, at)};
}

/* The packed state, and the packed pages, with one of their bytes changed. */
static struct trace_bytes state_change(struct trace_bytes packed, uint64_t at, uint64_t mask)
{
	uint8_t *raw = trace_decompress(packed.data, packed.count, sizeof(struct guest_state));
	if (!raw || at >= sizeof(struct guest_state))
		fail("there is no such byte");
	raw[at] = (uint8_t)(raw[at] ^ mask);
	packed.data = trace_compress(raw, sizeof(struct guest_state), true, &packed.count);
	free(raw);
	return packed;
}

static struct trace_bytes pages_change(struct trace_bytes packed, size_t raw_bytes, uint64_t at, uint64_t mask)
{
	static uint8_t raw[TRACE_GROUP_PAGES_MAX * TRACE_PAGE_BYTES];
	static uint8_t stored[ZSTD_COMPRESSBOUND(sizeof(raw))];
	if (ZSTD_decompress(raw, raw_bytes, packed.data, packed.count) != raw_bytes || at >= raw_bytes)
		fail("there is no such byte");
	raw[at] = (uint8_t)(raw[at] ^ mask);
	return (struct trace_bytes){stored, ZSTD_compress(stored, sizeof(stored), raw, raw_bytes, 1)};
}

static void update(sqlite3_stmt *statement)
{
	if (sqlite3_step(statement) != SQLITE_DONE)
		fail(sqlite3_errmsg(db));
	sqlite3_finalize(statement);
}

static void keyframe_edit(uint64_t n, const char *field, uint64_t at, uint64_t mask)
{
	sqlite3_stmt *row = row_find("SELECT next_event, first_group, group_count, state, same FROM keyframe "
				     "WHERE n = ?1",
				     n);
	struct trace_keyframe keyframe = {n, column(row, 0), column(row, 1), column(row, 2)};
	struct trace_bytes state = blob(row, 3), same = blob(row, 4);
	uint8_t list[2] = {(uint8_t)at, (uint8_t)mask};
	if (strcmp(field, "next_event") == 0)
		keyframe.next_event += mask;
	else if (strcmp(field, "same") == 0)
		same = (struct trace_bytes){list, 2};
	else
		state = state_change(state, at, mask);
	uint64_t checksum = trace_keyframe_checksum(&keyframe, sizeof(struct guest_state), state, same);
	sqlite3_stmt *statement =
		prepare("UPDATE keyframe SET next_event = ?2, state = ?3, same = ?4, checksum = ?5 WHERE n = ?1", n);
	sqlite3_bind_int64(statement, 2, trace_sql_from_u64(keyframe.next_event));
	sqlite3_bind_blob64(statement, 3, state.data, state.count, SQLITE_TRANSIENT);
	sqlite3_bind_blob64(statement, 4, same.data, same.count, SQLITE_TRANSIENT);
	sqlite3_bind_int64(statement, 5, trace_sql_from_u64(checksum));
	sqlite3_finalize(row);
	update(statement);
}

static void group_edit(uint64_t id, const char *field, uint64_t at, uint64_t mask)
{
	sqlite3_stmt *row = row_find("SELECT page_count, indexes, data FROM page_group WHERE id = ?1", id);
	uint64_t count = column(row, 0);
	struct trace_bytes indexes = blob(row, 1), data = blob(row, 2);
	uint8_t list[TRACE_GROUP_PAGES_MAX * 4];
	memcpy(list, indexes.data, indexes.count);
	if (strcmp(field, "index") == 0 && at < indexes.count)
		list[at] = (uint8_t)(list[at] ^ mask);
	else
		data = pages_change(data, count * TRACE_PAGE_BYTES, at, mask);
	indexes.data = list;
	sqlite3_stmt *statement = prepare("UPDATE page_group SET indexes = ?2, data = ?3, indexes_checksum = ?4, "
					  "data_checksum = ?5 WHERE id = ?1",
					  id);
	sqlite3_bind_blob64(statement, 2, indexes.data, indexes.count, SQLITE_TRANSIENT);
	sqlite3_bind_blob64(statement, 3, data.data, data.count, SQLITE_TRANSIENT);
	sqlite3_bind_int64(statement, 4, trace_sql_from_u64(trace_group_checksum(id, count, indexes)));
	sqlite3_bind_int64(statement, 5, trace_sql_from_u64(trace_group_checksum(id, count, data)));
	sqlite3_finalize(row);
	update(statement);
}

int main(int argc, char **argv)
{
	if (argc != 6 || sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		fail("usage: keyframe_edit TRACE K state|next_event|page|index|same AT MASK");
	uint64_t at = number(argv[4]), mask = number(argv[5]);
	sqlite3_stmt *row =
		row_find("SELECT n, first_group FROM keyframe ORDER BY n LIMIT 1 OFFSET ?1", number(argv[2]));
	uint64_t n = column(row, 0), group = column(row, 1);
	sqlite3_finalize(row);
	if (strcmp(argv[3], "page") == 0 || strcmp(argv[3], "index") == 0)
		group_edit(group, argv[3], at, mask);
	else
		keyframe_edit(n, argv[3], at, mask);
	sqlite3_close(db);
	return EXIT_SUCCESS;
}
