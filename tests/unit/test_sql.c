/* The SQL tables on a connection of one's own: ranges against a plain table, chunks read, hostile values, and
 * traces that are damaged anywhere. */
#include "storage/trace.h"
#include "storage/trace_format.h"
#include "tools/sql/sql_register.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EVENT_COUNT = 150000, CHUNK_COUNT = 3 };

static char path[64];

static struct event event_at(uint64_t i)
{
	uint64_t n = i / 3 * 10; /* three at each position */
	if (i % 1000 == 7)
		return (struct event){.n = n, .pc = 0x1000, .address = n, .value = 500, .kind = EVENT_IDLE};
	return (struct event){.n = n,
			      .pc = UINT64_C(0xffff800008000000),
			      .address = 0x09000000,
			      .value = i % 29 == 0 ? '\n' : 'a' + i % 26,
			      .kind = i % 2 ? EVENT_MMIO_READ : EVENT_MMIO_WRITE,
			      .size = 1};
}

static void write_trace(uint64_t count)
{
	struct error error = {.status = STATUS_OK};
	struct trace_writer *w = trace_create(path, &error);
	for (uint64_t i = 0; w && i < count; i++) {
		struct event event = event_at(i);
		trace_append(w, &event, 1, &error);
	}
	cr_assert(w && trace_finish(w, &error), "%s", error.text);
	trace_writer_free(w);
}

static void setup(void)
{
	strcpy(path, "/tmp/hvrec-test-sql-XXXXXX");
	int fd = mkstemp(path);
	cr_assert(fd >= 0);
	close(fd);
}

static void teardown(void)
{
	unlink(path);
}

TestSuite(sql, .init = setup, .fini = teardown, .timeout = 900);

static sqlite3 *open_tables(void)
{
	sqlite3 *db;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sql_register(db), SQLITE_OK);
	return db;
}

/* The one number that a query gives; INT64_MIN: it failed. */
static int64_t number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int64_t value = INT64_MIN;
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
		value = sqlite3_column_int64(statement, 0);
		if (sqlite3_step(statement) != SQLITE_DONE)
			value = INT64_MIN;
	}
	sqlite3_finalize(statement);
	return value;
}

static int64_t rows(sqlite3 *db, const char *table, const char *where)
{
	char sql[512];
	snprintf(sql, sizeof(sql), "SELECT ifnull(sum(event + 1), 0) FROM %s WHERE %s", table, where);
	return number(db, sql);
}

Test(sql, a_range_gives_what_a_plain_table_gives)
{
	static const char *const fields[] = {"event", "n", "time_ns"};
	static const char *const comparisons[] = {"=", "<", "<=", ">", ">=", "IS"};
	static const char *const values[] = {"0",
					     "-1",
					     "1",
					     "10",
					     "9.5",
					     "10.0",
					     "65535",
					     "65536",
					     "65536.5",
					     "218450",
					     "149999",
					     "150000",
					     "499990",
					     "500000",
					     "574990",
					     "1e300",
					     "-1e300",
					     "9223372036854775807",
					     "-9223372036854775808",
					     "NULL",
					     "'10'",
					     "'x'",
					     "x'00'"};
	write_trace(EVENT_COUNT);
	sqlite3 *db = open_tables();
	cr_assert_eq(sqlite3_exec(db,
				  "CREATE TEMP TABLE plain(event INTEGER, n INTEGER, time_ns INTEGER);"
				  "INSERT INTO plain SELECT event, n, time_ns FROM events",
				  NULL, NULL, NULL),
		     SQLITE_OK);
	cr_assert_eq(number(db, "SELECT count(*) FROM plain"), EVENT_COUNT);
	for (unsigned i = 0; i < 3 * 6 * sizeof(values) / sizeof(values[0]); i++) {
		char where[128];
		snprintf(where, sizeof(where), "%s %s %s", fields[i % 3], comparisons[i / 3 % 6], values[i / 18]);
		int64_t fast = rows(db, "events", where), slow = rows(db, "plain", where);
		cr_expect(fast == slow && fast >= 0, "%s: %lld, expected %lld (%s)", where, (long long)fast,
			  (long long)slow, sqlite3_errmsg(db));
	}
	sqlite3_close(db);
}

Test(sql, the_counter_counts_chunks)
{
	write_trace(EVENT_COUNT);
	sqlite3 *db = open_tables();
	cr_assert_eq(number(db, "SELECT hvrec_chunks_read()"), 0);
	cr_assert_eq(number(db, "SELECT count(*) FROM events WHERE n = 300000"), 3);
	cr_assert_eq(number(db, "SELECT hvrec_chunks_read()"), 1);
	cr_assert_eq(number(db, "SELECT count(*) FROM events WHERE n BETWEEN 0 AND 90"), 30);
	cr_assert_eq(number(db, "SELECT hvrec_chunks_read()"), 2);
	cr_assert_eq(number(db, "SELECT count(*) FROM events"), EVENT_COUNT);
	cr_assert_eq(number(db, "SELECT hvrec_chunks_read()"), 2 + CHUNK_COUNT);
	sqlite3_close(db);
}

Test(sql, values_beyond_2_to_the_63_keep_their_bits)
{
	write_trace(10);
	sqlite3 *db = open_tables();
	cr_assert_eq((uint64_t)number(db, "SELECT pc FROM events WHERE event = 1"), UINT64_C(0xffff800008000000));
	cr_assert_eq(number(db, "SELECT count(*) FROM events WHERE printf('%x', pc) = 'ffff800008000000'"), 9);
	sqlite3_close(db);
}

Test(sql, an_empty_trace_has_no_rows)
{
	write_trace(0);
	sqlite3 *db = open_tables();
	cr_assert_eq(number(db, "SELECT count(*) FROM events"), 0);
	cr_assert_eq(number(db, "SELECT count(*) FROM events WHERE n >= 0 AND time_ns >= 1 AND event > 0"), 0);
	cr_assert_eq(number(db, "SELECT count(*) FROM console"), 0);
	cr_assert_eq(number(db, "SELECT count(*) FROM keyframes"), 0);
	sqlite3_close(db);
}

Test(sql, tables_of_temp_do_not_hide_the_trace)
{
	write_trace(10);
	sqlite3 *db = open_tables();
	sqlite3_exec(db, "CREATE TEMP TABLE chunk(first_event); CREATE TEMP TABLE meta(key, value)", NULL, NULL, NULL);
	cr_assert_eq(number(db, "SELECT count(*) FROM events"), 10);
	sqlite3_close(db);
}

Test(sql, the_connection_can_be_closed_after_an_error)
{
	write_trace(10);
	sqlite3 *db = open_tables();
	sqlite3_exec(db, "UPDATE chunk SET checksum = checksum + 1", NULL, NULL, NULL);
	cr_assert_eq(number(db, "SELECT count(*) FROM events"), INT64_MIN);
	cr_assert_eq(number(db, "SELECT count(*) FROM console"), INT64_MIN);
	cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

/* Rows that say anything: numbers of any size and type, in any order. */
Test(sql, hostile_rows_never_crash)
{
	static const char *const changes[] = {
		"UPDATE chunk SET first_n = -1",
		"UPDATE chunk SET last_n = -9223372036854775808",
		"UPDATE chunk SET last_n = 0, first_n = 9223372036854775807",
		"UPDATE chunk SET event_count = 9223372036854775807",
		"UPDATE chunk SET event_count = 0",
		"UPDATE chunk SET start_idle_ns = 9223372036854775807",
		"UPDATE chunk SET start_idle_ns = 'text'",
		"UPDATE chunk SET last_n = x'0011'",
		"UPDATE chunk SET data = ''",
		"UPDATE chunk SET first_event = -first_event - 1",
		"UPDATE chunk SET first_event = first_event + 9223372036854700000",
		"DELETE FROM chunk WHERE first_event = 0",
		"DELETE FROM chunk",
		"UPDATE meta SET value = 'x'",
		"DELETE FROM meta",
		"INSERT INTO keyframe VALUES (-1, x'00', 'c', 1e300, -1, '', 0, 7)",
	};
	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		write_trace(70000);
		sqlite3 *db;
		cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
		cr_assert_eq(sqlite3_exec(db, changes[i], NULL, NULL, NULL), SQLITE_OK, "%s", changes[i]);
		cr_assert_eq(sql_register(db), SQLITE_OK);
		number(db, "SELECT count(*) FROM events");
		number(db, "SELECT count(*) FROM events WHERE n > 300000");
		number(db, "SELECT count(*) FROM events WHERE time_ns > 300000");
		number(db, "SELECT count(*) FROM events WHERE event > 69000");
		number(db, "SELECT count(*) FROM events a JOIN events b ON b.n = a.n WHERE a.event < 3");
		number(db, "SELECT count(*) FROM console");
		number(db, "SELECT count(*) FROM keyframes");
		number(db, "SELECT sum(end_n - n) FROM turns");
		cr_expect_eq(sqlite3_close(db), SQLITE_OK, "%s", changes[i]);
	}
}

Test(sql, turns_go_from_switch_to_switch)
{
	static const struct event events[] = {
		{.n = 100, .kind = EVENT_IDLE, .vcpu = 1, .value = 7},
		{.n = 150, .kind = EVENT_SWITCH, .vcpu = 1, .address = 2, .value = SWITCH_REASON_WAITS},
		{.n = 150, .kind = EVENT_SWITCH, .vcpu = 2, .address = 0, .value = 99},
		{.n = 190, .kind = EVENT_EXIT, .vcpu = 0},
		{.n = 200, .kind = EVENT_SWITCH, .vcpu = 0, .address = 1, .value = SWITCH_REASON_SLICE},
		{.n = 230, .kind = EVENT_IDLE, .vcpu = 1, .value = 50},
	};
	struct error error = {.status = STATUS_OK};
	struct trace_writer *w = trace_create(path, &error);
	cr_assert(w && trace_append(w, events, sizeof(events) / sizeof(events[0]), &error) && trace_finish(w, &error),
		  "%s", error.text);
	trace_writer_free(w);
	sqlite3 *db = open_tables();
	cr_expect_eq(number(db, "SELECT count(*) FROM turns"), 4);
	cr_expect_eq(number(db, "SELECT sum(end_n - n) FROM turns"), 230);
	cr_expect_eq(number(db, "SELECT sum(end_ns - time_ns) FROM turns"), 230 + 57);
	cr_expect_eq(number(db, "SELECT end_ns FROM turns WHERE vcpu = 1 AND n = 0 AND time_ns = 0 AND end_n = 150 AND "
				"reason = 'waits for an interrupt'"),
		     157);
	cr_expect_eq(number(db, "SELECT n FROM turns WHERE vcpu = 2 AND end_n = n AND reason = 'reason 99'"), 150);
	cr_expect_eq(number(db, "SELECT end_n FROM turns WHERE vcpu = 0 AND n = 150"), 200);
	cr_expect_eq(number(db, "SELECT end_ns FROM turns WHERE vcpu = 1 AND n = 200 AND reason IS NULL"), 287);
	sqlite3_close(db);
}

static void flip(uint64_t at, uint8_t mask)
{
	FILE *file = fopen(path, "r+");
	cr_assert(file);
	fseek(file, (long)at, SEEK_SET);
	int byte = fgetc(file);
	fseek(file, (long)at, SEEK_SET);
	fputc(byte ^ mask, file);
	fclose(file);
}

Test(sql, flipped_bytes_anywhere_never_crash)
{
	write_trace(3000);
	FILE *file = fopen(path, "r");
	cr_assert(file);
	fseek(file, 0, SEEK_END);
	uint64_t bytes = (uint64_t)ftell(file), random = 88172645463325252;
	fclose(file);
	for (int i = 0; i < 400; i++) {
		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		uint64_t at = random % bytes;
		uint8_t mask = (uint8_t)(1 << (random >> 40) % 8);
		sqlite3 *db;
		flip(at, mask);
		cr_assert_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
		if (sql_register(db) == SQLITE_OK) {
			number(db, "SELECT count(text) FROM events WHERE n >= 10");
			number(db, "SELECT count(*) FROM console");
			number(db, "SELECT count(*) FROM keyframes");
			number(db, "SELECT sum(end_n - n) FROM turns");
		}
		cr_assert_eq(sqlite3_close(db), SQLITE_OK);
		flip(at, mask);
	}
}
