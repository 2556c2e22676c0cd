/* A trace that starts at a keyframe in the middle of a chunk: no reader goes before it, and what they count, they count
 * from there; numbers, positions and times stay those of the whole recording. */
#include "replay/trace/event_stream.h"
#include "replay/trace/trace_stat.h"
#include "storage/chunk.h"
#include "tools/sql/sql_register.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNT = CHUNK_EVENTS_MAX + 5000, START = 1000, PAGES = 70, STATE_BYTES = 500 };

static char path[64];

/* Two at each position; each hundredth idles. */
static struct event event_at(uint64_t i)
{
	if (i % 100 == 7)
		return (struct event){.n = i / 2 * 40, .pc = 0x1000, .value = 3, .kind = EVENT_IDLE};
	return (struct event){.n = i / 2 * 40,
			      .pc = 0x2000,
			      .address = 0x09000000,
			      .value = 'a',
			      .kind = EVENT_MMIO_WRITE,
			      .size = 1};
}

static uint64_t idle_before(uint64_t event)
{
	uint64_t idle_ns = 0;
	for (uint64_t i = 0; i < event; i++)
		idle_ns += event_at(i).kind == EVENT_IDLE ? event_at(i).value : 0;
	return idle_ns;
}

static void put_events(struct trace_writer *w, uint64_t first, uint64_t end)
{
	struct error error = {0};
	for (uint64_t i = first; i < end; i++) {
		struct event event = event_at(i);
		cr_assert(trace_append(w, &event, 1, &error), "%s", error.text);
	}
}

static void put_keyframe(struct trace_writer *w, uint64_t next_event, size_t page_count)
{
	static uint8_t page[TRACE_PAGE_BYTES], state[STATE_BYTES];
	struct trace_page pages[PAGES];
	struct error error = {0};
	for (size_t i = 0; i < page_count; i++)
		pages[i] = (struct trace_page){i + next_event, page};
	cr_assert(trace_put_pages(w, pages, page_count, &error), "%s", error.text);
	cr_assert(trace_put_keyframe(w, event_at(next_event - 1).n + 10, next_event, state, STATE_BYTES, &error));
}

/* Keyframes before events 500, 1000, 2000 and at the end; what is before the second one is forgotten. */
static void setup(void)
{
	struct error error = {0};
	strcpy(path, "/tmp/hvrec-test-start-XXXXXX");
	int fd = mkstemp(path);
	cr_assert(fd >= 0);
	close(fd);
	struct trace_writer *w = trace_create(path, &error);
	cr_assert(w, "%s", error.text);
	put_events(w, 0, 500);
	put_keyframe(w, 500, 3);
	put_events(w, 500, START);
	put_keyframe(w, START, PAGES);
	put_events(w, START, 2000);
	put_keyframe(w, 2000, 0);
	put_events(w, 2000, COUNT);
	put_keyframe(w, COUNT, 1);
	cr_assert(trace_commit(w, &error) && trace_forget_before(w, event_at(START - 1).n + 10, &error), "%s",
		  error.text);
	cr_assert(trace_finish(w, &error), "%s", error.text);
	trace_writer_free(w);
}

static void teardown(void)
{
	unlink(path);
}

TestSuite(trace_start, .init = setup, .fini = teardown);

static struct trace_reader *open_trace(void)
{
	struct error error = {0};
	struct trace_reader *trace = trace_open(path, &error);
	cr_assert(trace, "%s", error.text);
	cr_assert_eq(trace_first_event(trace), START);
	return trace;
}

static void expect_at(struct trace_cursor *cursor, uint64_t event)
{
	struct error error = {0};
	struct event next;
	cr_assert(cursor);
	cr_expect_eq(trace_cursor_event(cursor), event);
	cr_expect_eq(trace_cursor_idle_ns(cursor), idle_before(event));
	cr_assert_eq(trace_next(cursor, &next, 1, &error), event < COUNT);
	if (event < COUNT)
		cr_expect_eq(next.n, event_at(event).n);
}

Test(trace_start, no_place_is_before_it)
{
	static const uint64_t events[] = {0, 1, START - 1, START, START + 1, CHUNK_EVENTS_MAX, COUNT - 1, COUNT};
	struct error error = {0};
	struct trace_reader *trace = open_trace();
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		uint64_t event = events[i] > START ? events[i] : START;
		uint64_t at_n = event & ~UINT64_C(1); /* the first of two at one position */
		struct trace_cursor *by_event = trace_seek(trace, events[i], &error);
		struct trace_cursor *by_n = trace_seek_n(trace, event_at(events[i]).n, &error);
		struct trace_cursor *by_time =
			trace_seek_ns(trace, event_at(events[i]).n + idle_before(events[i]), &error);
		expect_at(by_event, event);
		expect_at(by_n, at_n);
		expect_at(by_time, idle_before(at_n) == idle_before(event) ? at_n : event);
		trace_cursor_free(by_event);
		trace_cursor_free(by_n);
		trace_cursor_free(by_time);
	}
	trace_close(trace);
}

Test(trace_start, a_cursor_does_not_go_back_behind_it)
{
	struct error error = {0};
	struct trace_reader *trace = open_trace();
	struct trace_cursor *cursor = trace_seek(trace, 3000, &error);
	cr_expect(trace_cursor_try(cursor, 5));
	expect_at(cursor, START);
	cr_expect(trace_cursor_try_n(cursor, event_at(5).n));
	expect_at(cursor, START);
	cr_expect(trace_cursor_try_n(cursor, event_at(START + 10).n));
	expect_at(cursor, START + 10);
	cr_expect_not(trace_cursor_try(cursor, CHUNK_EVENTS_MAX));
	trace_cursor_free(cursor);
	trace_close(trace);
}

Test(trace_start, counts_begin_there)
{
	struct error error = {0};
	struct trace_stat stat;
	struct trace_reader *trace = open_trace();
	cr_assert(trace_stat_get(trace, &stat, &error), "%s", error.text);
	uint64_t start_n = event_at(START - 1).n + 10;
	cr_expect_eq(stat.start_n, start_n);
	cr_expect_eq(stat.start_ns, start_n + idle_before(START));
	cr_expect_eq(stat.event_count, COUNT - START);
	cr_expect_eq(stat.instructions, event_at(COUNT - 1).n - start_n);
	cr_expect_eq(stat.idle_ns, idle_before(COUNT) - idle_before(START));
	cr_expect_eq(stat.guest_ns, stat.instructions + stat.idle_ns);
	cr_expect_eq(stat.kinds[EVENT_MMIO_WRITE] + stat.kinds[EVENT_IDLE], COUNT - START);
	cr_expect_eq(stat.totals.keyframe_count, 3);
	cr_expect_eq(stat.totals.page_count, 3 + PAGES + 1);
	cr_expect_gt(stat.totals.keyframe_stored_bytes, 0);
	trace_stat_free(&stat);
	trace_close(trace);
}

static int64_t number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int64_t value = INT64_MIN;
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	if (sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

Test(trace_start, sql_has_the_events_from_there_on)
{
	sqlite3 *db;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sql_register(db), SQLITE_OK);
	cr_expect_eq(number(db, "SELECT count(*) FROM events"), COUNT - START);
	cr_expect_eq(number(db, "SELECT min(event) FROM events"), START);
	cr_expect_eq(number(db, "SELECT time_ns - n FROM events"), (int64_t)idle_before(START));
	cr_expect_eq(number(db, "SELECT count(*) FROM events WHERE event < 999"), 0);
	cr_expect_eq(number(db, "SELECT count(*) FROM events WHERE event < 1005"), 5);
	cr_expect_eq(number(db, "SELECT count(*) FROM events WHERE n < 20040"), 2);
	cr_expect_eq(number(db, "SELECT count(*) FROM events WHERE n BETWEEN 1 AND 20000"), 2);
	cr_expect_eq(number(db, "SELECT count(*) FROM events a JOIN events b ON b.event = a.event - 1"),
		     COUNT - START - 1);
	cr_expect_eq(number(db, "SELECT count(*) FROM events a JOIN events b ON b.n = a.n WHERE a.event < 1100"), 200);
	cr_expect_eq(number(db, "SELECT event FROM console"), START);
	sqlite3_close(db);
}

Test(trace_start, sql_has_the_keyframes)
{
	sqlite3 *db;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sql_register(db), SQLITE_OK);
	cr_expect_eq(number(db, "SELECT count(*) FROM keyframes"), 3);
	cr_expect_eq(number(db, "SELECT count(*) FROM keyframes WHERE state_bytes = 500 AND stored_bytes > 0"), 3);
	static const struct {
		uint64_t next_event, page_count;
	} cases[] = {{START, PAGES}, {2000, 0}, {COUNT, 1}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t n = event_at(cases[i].next_event - 1).n + 10;
		char query[128];
		snprintf(query, sizeof(query), "SELECT n FROM keyframes WHERE next_event = %d",
			 (int)cases[i].next_event);
		cr_expect_eq(number(db, query), (int64_t)n);
		snprintf(query, sizeof(query), "SELECT page_count FROM keyframes WHERE n = %d", (int)n);
		cr_expect_eq(number(db, query), (int64_t)cases[i].page_count);
		snprintf(query, sizeof(query), "SELECT time_ns FROM keyframes WHERE n = %d", (int)n);
		cr_expect_eq(number(db, query), (int64_t)(n + idle_before(cases[i].next_event)));
	}
	cr_expect_eq(number(db, "SELECT sum(stored_bytes) FROM keyframes"),
		     number(db,
			    "SELECT (SELECT sum(length(state) + length(same)) FROM keyframe) + sum(length(indexes) + "
			    "length(data)) FROM page_group WHERE id >= (SELECT min(first_group) FROM keyframe)"));
	cr_assert_eq(sqlite3_exec(db, "DELETE FROM chunk WHERE first_event > 0", NULL, NULL, NULL), SQLITE_OK);
	cr_expect_eq(number(db, "SELECT count(*) FROM keyframes"), 2, "one has no events");
	sqlite3_close(db);
}
