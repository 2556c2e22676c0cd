/* Repair keeps the keyframes whose page groups are all there, with the very same pages, and no other. */
#include "storage/trace_format.h"
#include "storage/trace_repair.h"
#include "tests/unit/trace_fixture.h"

#include <sqlite3.h>

enum { EVENTS = 100, STEP = 20, KEYFRAMES = 4, PAGES = 70, RAM_PAGES = 256 };

static char repaired[160];
static struct trace_repair_report report;

static void setup(void)
{
	fixture_setup();
	snprintf(repaired, sizeof(repaired), "%s/repaired", folder);
}

TestSuite(trace_repair_keyframes, .init = setup, .fini = fixture_teardown);

/* The keyframe before event 20, 40, … writes pages of its own in two groups, and page 0 with what it held before. */
static bool keyframe_put(struct trace_writer *w, uint64_t number, struct error *error)
{
	static uint8_t bytes[PAGES * TRACE_PAGE_BYTES];
	struct trace_page pages[PAGES], same = {0, NULL};
	uint64_t next_event = (number + 1) * STEP;
	memset(bytes, (int)number + 1, sizeof(bytes));
	for (uint64_t i = 0; i < PAGES; i++)
		pages[i] = (struct trace_page){i * (number + 1), bytes + i * TRACE_PAGE_BYTES};
	return trace_put_pages(w, pages + (number > 0), PAGES - (number > 0), error) &&
	       (number == 0 || trace_put_pages(w, &same, 1, error)) &&
	       trace_put_keyframe(w, fixture_event(next_event).n - 1, next_event, &number, sizeof(number), error);
}

/* Keyframes among 100 events; a recording that was finished. `forget`: it starts at that keyframe. */
static void record(uint64_t forget)
{
	struct error error = {0};
	struct trace_writer *w = trace_create(path, &error);
	bool good = w != NULL;
	for (uint64_t i = 0; good && i < EVENTS / STEP; i++)
		good = (i == 0 || keyframe_put(w, i - 1, &error)) && fixture_commit(w, i * STEP, STEP, &error);
	if (forget != UINT64_MAX)
		good = good && trace_forget_before(w, fixture_event((forget + 1) * STEP).n - 1, &error);
	cr_assert(good && trace_finish(w, &error), "%s", error.text);
	trace_writer_free(w);
}

static void sql(const char *text)
{
	sqlite3 *db = NULL;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	/* a deleted row would be found again */
	cr_assert_eq(sqlite3_exec(db, "PRAGMA secure_delete = ON", NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	cr_assert_gt(sqlite3_changes(db), 0, "%s: changed nothing", text);
	sqlite3_close(db);
}

/* RAM at the keyframe, page by page its first byte: all groups up to it, in order. */
static void ram_get(struct trace_reader *r, const struct trace_keyframe *keyframe, uint8_t ram[RAM_PAGES * 2])
{
	static uint8_t pages[TRACE_GROUP_PAGES_MAX * TRACE_PAGE_BYTES];
	struct error error = {0};
	uint64_t *ids = NULL, indexes[TRACE_GROUP_PAGES_MAX];
	size_t count = 0;
	memset(ram, 0, RAM_PAGES * 2);
	cr_assert(trace_get_groups(r, keyframe->first_group + keyframe->group_count, &ids, &count, &error));
	for (size_t i = 0; i < count; i++) {
		size_t page_count = trace_get_group_indexes(r, ids[i], indexes, &error);
		cr_assert(page_count > 0 && trace_get_group(r, ids[i], pages, &error), "%s", error.text);
		for (size_t slot = 0; slot < page_count; slot++)
			ram[indexes[slot]] = pages[slot * TRACE_PAGE_BYTES];
	}
	free(ids);
}

/* Repairs, and expects the keyframes whose bit is set in `kept`, as the old trace (a copy of it) has them. */
static void repairs(const char *copy, unsigned kept, unsigned lost)
{
	struct error error = {0};
	struct trace_keyframe *old = NULL, *new = NULL;
	size_t old_count = 0, new_count = 0, at = 0;
	cr_assert(trace_repair(path, repaired, &report, &error), "%s", error.text);
	struct trace_reader *a = trace_open(copy, &error), *b = trace_open(repaired, &error);
	cr_assert(a && b, "%s", error.text);
	cr_assert(trace_get_keyframes(a, &old, &old_count, &error) && trace_get_keyframes(b, &new, &new_count, &error));
	for (size_t i = 0; i < old_count; i++) {
		uint8_t ram_a[RAM_PAGES * 2], ram_b[RAM_PAGES * 2];
		uint64_t state = 0, *same = NULL;
		size_t same_count = 0;
		if (!(kept >> i & 1))
			continue;
		cr_assert_lt(at, new_count, "keyframe %zu is lost", i);
		cr_assert(new[at].n == old[i].n &&new[at].next_event == old[i].next_event);
		cr_assert(trace_get_keyframe_state(b, &new[at], &state, sizeof(state), &error), "%s", error.text);
		cr_assert(trace_get_keyframe_same(b, &new[at], &same, &same_count, &error), "%s", error.text);
		cr_assert_eq(state, fixture_event(0).n + old[i].next_event / STEP - 1);
		cr_assert_eq(same_count, state > 0);
		free(same);
		ram_get(a, &old[i], ram_a);
		ram_get(b, &new[at++], ram_b);
		cr_assert_eq(memcmp(ram_a, ram_b, sizeof(ram_a)), 0, "RAM of keyframe %zu differs", i);
	}
	cr_assert_eq(new_count, at);
	cr_assert_eq(report.keyframe_count, at);
	cr_assert_eq(report.lost_keyframe_count, lost);
	free(old);
	free(new);
	trace_close(a);
	trace_close(b);
}

/* The trace as it is now, under another name. */
static const char *copy_make(void)
{
	static char copy[160];
	char command[512];
	snprintf(copy, sizeof(copy), "%s/copy", folder);
	snprintf(command, sizeof(command), "cp %s %s", path, copy);
	cr_assert_eq(system(command), 0);
	return copy;
}

Test(trace_repair_keyframes, all_of_a_whole_trace_are_kept)
{
	record(UINT64_MAX);
	repairs(copy_make(), 0xf, 0);
	cr_assert(report.complete);
	cr_assert_eq(fixture_read(repaired), EVENTS);
}

Test(trace_repair_keyframes, a_damaged_group_takes_those_behind_it)
{
	static const struct {
		const char *sql;
		unsigned kept, lost;
	} damages[] = {{"UPDATE page_group SET data_checksum = data_checksum + 1 WHERE id = 4", 0x3, 2},
		       {"UPDATE page_group SET indexes = zeroblob(8) WHERE id = 4", 0x3, 2},
		       {"UPDATE page_group SET page_count = 65 WHERE id = 4", 0x3, 2},
		       {"DELETE FROM page_group WHERE id = 0", 0, 4},
		       {"DELETE FROM page_group WHERE id = 5", 0x3, 2},
		       {"DELETE FROM page_group WHERE id = 7", 0x7, 1}};
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		record(UINT64_MAX);
		const char *copy = copy_make();
		sql(damages[i].sql);
		repairs(copy, damages[i].kept, damages[i].lost);
		cr_assert(report.complete, "no event was lost");
		cr_assert_eq(fixture_read(repaired), EVENTS);
	}
}

Test(trace_repair_keyframes, a_damaged_keyframe_is_lost_alone)
{
	record(UINT64_MAX);
	const char *copy = copy_make();
	sql("UPDATE keyframe SET checksum = checksum + 1 WHERE next_event = 40");
	repairs(copy, 0xd, 1);
}

Test(trace_repair_keyframes, those_behind_lost_events_are_lost)
{
	record(UINT64_MAX);
	sql("UPDATE chunk SET checksum = checksum + 1");
	struct error error = {0};
	cr_assert(trace_repair(path, repaired, &report, &error), "%s", error.text);
	cr_assert_eq(report.keyframe_count, 0);
	cr_assert_eq(report.lost_keyframe_count, KEYFRAMES);
}

Test(trace_repair_keyframes, a_trace_that_starts_at_one_is_repaired_from_there)
{
	for (uint64_t start = 0; start < KEYFRAMES; start++) {
		struct error error = {0};
		record(start);
		repairs(copy_make(), 0xfu >> start, 0);
		cr_assert(report.complete);
		cr_assert_eq(report.first_event, (start + 1) * STEP);
		cr_assert_eq(report.event_count, EVENTS - report.first_event);
		struct trace_reader *r = trace_open(repaired, &error);
		cr_assert(r, "%s", error.text);
		cr_assert_eq(trace_start_n(r), fixture_event(report.first_event).n - 1);
		struct trace_cursor *c = trace_seek(r, 0, &error), *old = NULL;
		struct trace_reader *before = trace_open(path, &error);
		cr_assert(c && before && (old = trace_seek(before, 0, &error)), "%s", error.text);
		cr_assert_eq(trace_cursor_idle_ns(c), trace_cursor_idle_ns(old));
		struct event event;
		for (uint64_t i = report.first_event; i < EVENTS; i++) {
			struct event expected = fixture_event(i);
			cr_assert_eq(trace_next(c, &event, 1, &error), 1, "%s", error.text);
			cr_assert_eq(memcmp(&event, &expected, sizeof(event)), 0, "event %zu", (size_t)i);
		}
		trace_cursor_free(c);
		trace_cursor_free(old);
		trace_close(before);
		trace_close(r);
	}
}

Test(trace_repair_keyframes, a_trace_whose_start_is_lost_cannot_be_repaired)
{
	static const char *const damages[] = {
		"UPDATE keyframe SET checksum = 1 WHERE n = (SELECT value FROM meta WHERE key = 'start_n')",
		"UPDATE meta SET value = value + 1 WHERE key = 'start_n'",
		"UPDATE meta SET value = 'text' WHERE key = 'start_n'",
		"UPDATE page_group SET data_checksum = 1 WHERE id = 3",
		"UPDATE page_group SET data_checksum = 1 WHERE id = (SELECT min(id) FROM page_group)"};
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct error error = {0};
		record(1);
		sql(damages[i]);
		cr_assert_not(trace_repair(path, repaired, &report, &error), "%s", damages[i]);
		cr_assert(strstr(error.text, "starts at is damaged or missing"), "%s", error.text);
		cr_assert_neq(access(repaired, F_OK), 0, "a trace was left");
	}
}
