/* Keyframes through recorder, trace and replay: RAM and state at each are the model's, also after the beginning was
 * forgotten; and whatever is wrong in the tables is an error that says so. */
#include "replay/trace/keyframe_index.h"
#include "storage/trace_format.h"
#include "storage/trace_seal.h"
#include "tests/unit/keyframe_model.h"

TestSuite(keyframe, .timeout = 900);

/* The trace has the model's keyframes from number `first` on, and its events from there on. */
static void expect_keyframes(const struct model *m, size_t first)
{
	struct error error = {0};
	struct keyframe_index index = {0};
	struct guest_state state;
	struct trace_reader *trace = trace_open(m->path, &error);
	cr_assert(trace, "%s", error.text);
	cr_assert(keyframe_index_open(&index, trace, MODEL_PAGES, &error), "%s", error.text);
	cr_assert_eq(index.count, m->count - first);
	for (size_t i = 0; i < index.count; i++) {
		const struct model_keyframe *at = &m->at[first + i];
		uint8_t *ram = calloc(1, MODEL_RAM_BYTES);
		cr_assert(keyframe_index_ram(&index, i, ram, &error), "%s", error.text);
		cr_assert_eq(memcmp(ram, at->ram, MODEL_RAM_BYTES), 0, "RAM at keyframe %zu", first + i);
		cr_assert(keyframe_index_state(&index, i, &state, &error), "%s", error.text);
		cr_assert_eq(memcmp(&state, &at->state, sizeof(state)), 0);
		cr_assert_eq(index.at[i].row.next_event, at->next_event);
		cr_assert_eq(keyframe_index_before(&index, at->n), i);
		cr_assert_eq(keyframe_index_before(&index, at->n - 1), i == 0 ? SIZE_MAX : i - 1);
		free(ram);
	}
	keyframe_index_close(&index);
	trace_close(trace);
}

static void expect_events(const struct model *m, uint64_t first)
{
	struct error error = {0};
	struct event event;
	struct trace_reader *trace = trace_open(m->path, &error);
	cr_assert(trace, "%s", error.text);
	cr_assert_eq(trace_first_event(trace), first);
	struct trace_cursor *cursor = trace_seek(trace, 0, &error);
	cr_assert(cursor, "%s", error.text);
	for (; trace_next(cursor, &event, 1, &error) == 1; first++)
		cr_assert_eq(event.value, first);
	cr_assert_eq(error.status, STATUS_OK, "%s", error.text);
	cr_assert_eq(first, m->event_count);
	trace_cursor_free(cursor);
	trace_close(trace);
}

static void record(struct model *m, uint64_t seed, size_t count)
{
	model_open(m, seed);
	for (size_t i = 0; i < count; i++) {
		model_events(m);
		model_keyframe(m);
	}
	model_events(m);
}

Test(keyframe, ram_and_state_come_back)
{
	for (uint64_t seed = 1; seed < 6; seed++) {
		struct model m;
		record(&m, seed, 12);
		model_finish(&m);
		expect_keyframes(&m, 0);
		expect_events(&m, 0);
		model_close(&m);
	}
}

Test(keyframe, a_keyframe_that_was_not_completed_is_not_there)
{
	struct error error = {0};
	struct model m;
	record(&m, 7, 5);
	struct capture *capture = model_capture(&m);
	cr_assert(trace_put_pages(m.trace, capture->pages, capture->page_count, &error));
	capture_free(capture);
	cr_assert(trace_commit(m.trace, &error), "%s", error.text);
	expect_keyframes(&m, 0);
	trace_writer_free(m.trace);
	m.trace = NULL;
	expect_keyframes(&m, 0);
	model_close(&m);
}

Test(keyframe, a_keyframe_without_events_after_it_counts)
{
	struct error error = {0};
	struct model m;
	model_open(&m, 8);
	model_events(&m);
	model_keyframe(&m);
	cr_assert(trace_commit(m.trace, &error), "%s", error.text);
	expect_keyframes(&m, 0);
	cr_assert(trace_forget_before(m.trace, m.at[0].n, &error), "%s", error.text);
	cr_assert(trace_commit(m.trace, &error), "%s", error.text);
	expect_keyframes(&m, 0);
	model_finish(&m);
	expect_keyframes(&m, 0);
	expect_events(&m, m.at[0].next_event);
	model_close(&m);
}

Test(keyframe, the_beginning_is_forgotten_again_and_again)
{
	struct error error = {0};
	for (uint64_t seed = 20; seed < 26; seed++) {
		struct model m;
		size_t start = 0;
		record(&m, seed, 3);
		while (m.count < 24) {
			size_t before = start;
			model_keyframe(&m);
			model_events(&m);
			start += model_random(&m, m.count - start);
			if (start == before && start == 0)
				continue;
			cr_assert(trace_forget_before(m.trace, m.at[start].n, &error), "%s", error.text);
			cr_assert(trace_commit(m.trace, &error), "%s", error.text);
			expect_keyframes(&m, start);
			expect_events(&m, m.at[start].next_event);
		}
		model_finish(&m);
		expect_keyframes(&m, start);
		model_close(&m);
	}
}

Test(keyframe, a_recording_that_keeps_its_last_part_starts_at_the_right_keyframe)
{
	for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
		struct model m;
		size_t start = 0;
		model_open(&m, 40);
		m.writer.keep = (struct writer_keep){by_bytes ? 0 : 1000000, by_bytes ? 20000 : 0};
		for (size_t i = 0; i < 40; i++) {
			model_events(&m);
			model_keyframe(&m);
		}
		model_finish(&m);
		for (size_t i = 0; !by_bytes && i < m.count; i++)
			start = m.at[m.count - 1].n - m.at[i].n >= 1000000 ? i : start;
		for (; by_bytes && m.at[start].n != m.writer.marks[0].n; start++)
			;
		cr_assert_gt(start, 20);
		cr_assert_lt(start, m.count - 1);
		expect_keyframes(&m, start);
		expect_events(&m, m.at[start].next_event);
		model_close(&m);
	}
}

Test(keyframe, the_writer_refuses_what_no_reader_would_take)
{
	struct error error = {0};
	struct model m;
	record(&m, 9, 2);
	uint8_t state[16] = {0};
	cr_assert_not(trace_put_keyframe(m.trace, m.at[1].n, m.event_count, state, sizeof(state), &error));
	cr_assert(strstr(error.text, "a bug of hvrec"), "%s", error.text);
	model_close(&m);
}

/* ---- damage ---- */

static void run(sqlite3 *db, const char *sql)
{
	char *why = NULL;
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &why), SQLITE_OK, "%s: %s", sql, why);
}

/* SQL functions: the checksums that rows should have. */
static void keyframe_sum(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct trace_keyframe row = {(uint64_t)sqlite3_value_int64(values[0]), (uint64_t)sqlite3_value_int64(values[1]),
				     (uint64_t)sqlite3_value_int64(values[2]),
				     (uint64_t)sqlite3_value_int64(values[3])};
	struct trace_bytes state = {sqlite3_value_blob(values[5]), (size_t)sqlite3_value_bytes(values[5])};
	struct trace_bytes same = {sqlite3_value_blob(values[6]), (size_t)sqlite3_value_bytes(values[6])};
	uint64_t state_bytes = (uint64_t)sqlite3_value_int64(values[4]);
	(void)count;
	sqlite3_result_int64(context, trace_sql_from_u64(trace_keyframe_checksum(&row, state_bytes, state, same)));
}

static void group_sum(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct trace_bytes bytes = {sqlite3_value_blob(values[2]), (size_t)sqlite3_value_bytes(values[2])};
	(void)count;
	sqlite3_result_int64(context,
			     trace_sql_from_u64(trace_group_checksum((uint64_t)sqlite3_value_int64(values[0]),
								     (uint64_t)sqlite3_value_int64(values[1]), bytes)));
}

/* A keyframe's state with another value in it, packed again. */
static void state_with(sqlite3_context *context, int count, sqlite3_value **values)
{
	size_t at = (size_t)sqlite3_value_int64(values[1]), bytes = 0;
	uint8_t *raw = trace_decompress(sqlite3_value_blob(values[0]), (size_t)sqlite3_value_bytes(values[0]),
					sizeof(struct guest_state));
	(void)count;
	cr_assert(raw);
	raw[at] = (uint8_t)sqlite3_value_int64(values[2]);
	uint8_t *stored = trace_compress(raw, sizeof(struct guest_state), true, &bytes);
	sqlite3_result_blob(context, stored, (int)bytes, SQLITE_TRANSIENT);
	free(stored);
	free(raw);
}

static void damage(const struct model *m, const char *sql, bool checksums)
{
	sqlite3 *db = NULL;
	cr_assert_eq(sqlite3_open(m->path, &db), SQLITE_OK);
	sqlite3_create_function(db, "keyframe_sum", 7, SQLITE_UTF8, NULL, keyframe_sum, NULL, NULL);
	sqlite3_create_function(db, "group_sum", 3, SQLITE_UTF8, NULL, group_sum, NULL, NULL);
	sqlite3_create_function(db, "state_with", 3, SQLITE_UTF8, NULL, state_with, NULL, NULL);
	run(db, sql);
	if (checksums)
		run(db, "UPDATE keyframe SET checksum = keyframe_sum(n, next_event, first_group, group_count, "
			"state_bytes, state, same); "
			"UPDATE page_group SET indexes_checksum = group_sum(id, page_count, indexes), "
			"data_checksum = group_sum(id, page_count, data)");
	cr_assert_eq(trace_seal_write(db), SQLITE_OK);
	sqlite3_close(db);
}

/* Reads all that a replay could; what went wrong, or an empty text. */
static struct error read_all(const char *path)
{
	struct error error = {0};
	struct keyframe_index index = {0};
	struct guest_state state;
	uint8_t *ram = calloc(1, MODEL_RAM_BYTES);
	struct trace_reader *trace = trace_open(path, &error);
	bool good = trace && keyframe_index_open(&index, trace, MODEL_PAGES, &error);
	for (size_t i = 0; good && i < index.count; i++)
		good = keyframe_index_state(&index, i, &state, &error) && keyframe_index_ram(&index, i, ram, &error);
	keyframe_index_close(&index);
	trace_close(trace);
	free(ram);
	cr_assert_eq(good, error.status == STATUS_OK);
	return error;
}

struct wrong {
	const char *sql, *expected;
};

static void expect_damage(const struct wrong *wrongs, size_t count, bool checksums)
{
	struct model m;
	char copy[256];
	record(&m, 11, 6);
	model_finish(&m);
	snprintf(copy, sizeof(copy), "cp %s %s/good", m.path, m.folder);
	cr_assert_eq(system(copy), 0);
	snprintf(copy, sizeof(copy), "cp %s/good %s", m.folder, m.path);
	damage(&m, "SELECT 1", true);
	cr_assert_eq(read_all(m.path).status, STATUS_OK, "%s", read_all(m.path).text);
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(system(copy), 0);
		damage(&m, wrongs[i].sql, checksums);
		struct error error = read_all(m.path);
		cr_assert_eq(error.status, STATUS_FAILED, "not found: %s", wrongs[i].sql);
		cr_expect(strstr(error.text, wrongs[i].expected), "%s: %s", wrongs[i].sql, error.text);
		cr_expect_not(strchr(error.text, '\n'));
	}
	model_close(&m);
}

#define KEYFRAME_2 " WHERE n = (SELECT n FROM keyframe ORDER BY n LIMIT 1 OFFSET 2)"

Test(keyframe, each_changed_field_breaks_a_checksum)
{
	static const struct wrong wrongs[] = {
		{"UPDATE keyframe SET n = n + 1" KEYFRAME_2, "checksum"},
		{"UPDATE keyframe SET next_event = next_event + 1" KEYFRAME_2, "checksum"},
		{"UPDATE keyframe SET state_bytes = state_bytes + 1" KEYFRAME_2, "checksum"},
		{"UPDATE keyframe SET checksum = checksum + 1" KEYFRAME_2, "checksum"},
		{"UPDATE keyframe SET state = substr(state, 1, 20) || x'5a' || substr(state, 22)" KEYFRAME_2, "types"},
		{"UPDATE keyframe SET state = CAST(state || x'5a' AS BLOB)" KEYFRAME_2, "checksum"},
		{"UPDATE keyframe SET same = CAST(same || x'01' AS BLOB)" KEYFRAME_2, "checksum"},
		{"UPDATE page_group SET page_count = page_count - 1 WHERE id = 3", "checksum"},
		{"UPDATE page_group SET indexes_checksum = 1 WHERE id = 3", "checksum"},
		{"UPDATE page_group SET data_checksum = 1 WHERE id = 3", "checksum"},
		{"UPDATE page_group SET indexes = zeroblob(length(indexes)) WHERE id = 3", "checksum"},
		{"UPDATE page_group SET data = zeroblob(length(data)) WHERE id = 3", "checksum"},
		{"UPDATE page_group SET id = 1000000 WHERE id = 3", "lacks a page group"},
		{"UPDATE page_group SET id = -3 WHERE id = 3", "no number of one"},
		{"UPDATE page_group SET id = -1 - 9223372036854775807 WHERE id = 0", "no number of one"},
		{"DELETE FROM page_group WHERE id = 0", "lacks a page group"},
		{"DELETE FROM page_group", "lacks a page group"},
		{"DELETE FROM keyframe" KEYFRAME_2, "do not follow"},
		{"INSERT INTO meta VALUES('start_n', 12345)", "that it starts at is missing"},
		{"INSERT INTO meta VALUES('start_n', 0)", "that it starts at is missing"},
		{"INSERT INTO meta VALUES('start_n', 'x')", "not a number"},
		{"INSERT INTO meta SELECT 'start_n', n FROM keyframe" KEYFRAME_2, "that it starts at is missing"},
		{"DELETE FROM keyframe; INSERT INTO meta VALUES('start_n', 1)", "that it starts at is missing"},
	};
	expect_damage(wrongs, sizeof(wrongs) / sizeof(wrongs[0]), false);
}

Test(keyframe, impossible_contents_with_right_checksums_are_found)
{
	static const struct wrong wrongs[] = {
		{"UPDATE keyframe SET n = 0 WHERE n = (SELECT min(n) FROM keyframe)", "no position"},
		{"UPDATE keyframe SET n = -5" KEYFRAME_2, "no position"},
		{"UPDATE keyframe SET n = n + 1" KEYFRAME_2, "a state that no guest has"},
		{"UPDATE keyframe SET next_event = -1" KEYFRAME_2, "events go back"},
		{"UPDATE keyframe SET next_event = 0" KEYFRAME_2, "events go back"},
		{"UPDATE keyframe SET first_group = first_group + 1" KEYFRAME_2, "do not follow"},
		{"UPDATE keyframe SET first_group = 1 WHERE first_group = 0", "do not follow"},
		{"UPDATE keyframe SET first_group = -1" KEYFRAME_2, "impossible page groups"},
		{"UPDATE keyframe SET group_count = 9223372036854775807" KEYFRAME_2, "impossible page groups"},
		{"UPDATE keyframe SET group_count = -1" KEYFRAME_2, "impossible page groups"},
		{"UPDATE keyframe SET group_count = 1000000 WHERE n = (SELECT max(n) FROM keyframe)", "lacks a page"},
		{"UPDATE keyframe SET same = x'ff'" KEYFRAME_2, "is no list"},
		{"UPDATE keyframe SET same = x'ffffffffffffffffff01'" KEYFRAME_2, "is no list"},
		{"UPDATE keyframe SET same = x'ac02'" KEYFRAME_2, "is not there"}, /* page 300 */
		{"UPDATE keyframe SET same = x'ffffffff0f'" KEYFRAME_2, "is not there"},
		{"UPDATE keyframe SET same = zeroblob(300)" KEYFRAME_2, "is not there"}, /* its own too */
		{"UPDATE keyframe SET same = x'00' WHERE first_group = 0", "is not there"},
		{"UPDATE keyframe SET same = 'text'" KEYFRAME_2, "other types"},
		{"UPDATE keyframe SET state = zeroblob(100)" KEYFRAME_2, "cannot be decompressed"},
		{"UPDATE keyframe SET state = x''" KEYFRAME_2, "cannot be decompressed"},
		{"UPDATE keyframe SET state_bytes = 1" KEYFRAME_2, "another size"},
		{"UPDATE keyframe SET state_bytes = -1" KEYFRAME_2, "another size"},
		{"UPDATE page_group SET page_count = 0 WHERE id = 3", "row is none"},
		{"UPDATE page_group SET page_count = 65 WHERE id = 3", "row is none"},
		{"UPDATE page_group SET page_count = page_count - 1 WHERE id = 3", "is no list"},
		{"UPDATE page_group SET indexes = x'' WHERE id = 3", "is no list"},
		{"UPDATE page_group SET page_count = 1, indexes = x'2c010000' WHERE id = 3", "outside of RAM"},
		{"UPDATE page_group SET page_count = 1, indexes = x'ffffffff' WHERE id = 3", "outside of RAM"},
		{"UPDATE page_group SET data = zeroblob(length(data)) WHERE id = 3", "cannot be decompressed"},
		{"UPDATE page_group SET data = x'' WHERE id = 3", "cannot be decompressed"},
		{"UPDATE page_group SET data = 'text' WHERE id = 3", "row is none"},
	};
	expect_damage(wrongs, sizeof(wrongs) / sizeof(wrongs[0]), true);
}

#define AT_VCPU(i, field) (offsetof(struct guest_state, vcpu[i]) + offsetof(struct vcpu_state, field))
#define AT_REDIST(i)      (offsetof(struct guest_state, vgic.redist[i]) + offsetof(struct vgic_redist_state, lr_used))

static const size_t impossible_at[] = {
	offsetof(struct guest_state, n),
	offsetof(struct guest_state, vcpu_count),
	offsetof(struct guest_state, current),
	offsetof(struct guest_state, uart.rx_first),
	offsetof(struct guest_state, uart.rx_count),
	offsetof(struct guest_state, vgic.stage),
	AT_VCPU(0, pstate), /* 0xc9 as a mode is EL2's */
	AT_VCPU(0, power),
	AT_REDIST(0),
	offsetof(struct guest_state, turn.waits[0]),
	AT_VCPU(3, pstate), /* from here on of the last vCPU of four */
	AT_VCPU(3, power),
	AT_REDIST(3),
	offsetof(struct guest_state, turn.waits[3]),
};
enum { IMPOSSIBLE_COUNT = sizeof(impossible_at) / sizeof(impossible_at[0]), IMPOSSIBLE_OF_ONE = 10 };

static void state_write(struct model *m, size_t at, int byte)
{
	char sql[128];
	snprintf(sql, sizeof(sql), "UPDATE keyframe SET state = state_with(state, %zu, %d)" KEYFRAME_2, at, byte);
	damage(m, sql, true);
}

/* Whether the state of keyframe 2, with this byte, can be taken up. */
static bool taken_up(uint32_t vcpu_count, size_t at, int byte)
{
	struct error error = {0};
	struct keyframe_index index = {0};
	struct guest_state state;
	struct model m;
	model_open(&m, 12);
	model_vcpus(&m, vcpu_count);
	for (size_t i = 0; i < 4; i++) {
		model_events(&m);
		model_keyframe(&m);
	}
	model_finish(&m);
	state_write(&m, at, byte);
	struct trace_reader *trace = trace_open(m.path, &error);
	cr_assert(trace && keyframe_index_open(&index, trace, MODEL_PAGES, &error), "%s", error.text);
	bool taken = keyframe_index_state(&index, 2, &state, &error);
	cr_assert(taken || strstr(error.text, "a state that no guest has"), "%s", error.text);
	keyframe_index_close(&index);
	trace_close(trace);
	model_close(&m);
	return taken;
}

/* A state is a guest's, not a way into hv. */
Test(keyframe, states_that_hv_cannot_take_up_are_refused)
{
	for (size_t i = 0; i < IMPOSSIBLE_COUNT; i++) {
		cr_expect_not(taken_up(4, impossible_at[i], 0xc9), "4 vCPUs, byte %zu", impossible_at[i]);
		if (i < IMPOSSIBLE_OF_ONE)
			cr_expect_not(taken_up(1, impossible_at[i], 0xc9), "1 vCPU, byte %zu", impossible_at[i]);
	}
}

Test(keyframe, the_vcpus_of_a_state_are_those_of_the_trace)
{
	cr_expect(taken_up(4, offsetof(struct guest_state, vcpu_count), 4));
	cr_expect_not(taken_up(4, offsetof(struct guest_state, vcpu_count), 3));
	cr_expect(taken_up(4, offsetof(struct guest_state, current), 3));
	cr_expect_not(taken_up(4, offsetof(struct guest_state, current), 4));
	cr_expect_not(taken_up(1, offsetof(struct guest_state, current), 1));
	cr_expect(taken_up(4, AT_VCPU(3, power), VCPU_ON));
	cr_expect(taken_up(4, offsetof(struct guest_state, turn.waits[3]), 1));
	cr_expect_not(taken_up(4, offsetof(struct guest_state, turn.waits[3]), 2));
	cr_expect_not(taken_up(GUEST_VCPU_MAX + 1, offsetof(struct guest_state, vcpu_count), GUEST_VCPU_MAX + 1));
}

Test(keyframe, one_whose_events_are_not_there_is_left_out)
{
	struct model m;
	record(&m, 13, 4);
	model_finish(&m);
	damage(&m, "UPDATE keyframe SET next_event = 9999999 WHERE n = (SELECT max(n) FROM keyframe)", true);
	m.count--;
	expect_keyframes(&m, 0);
	m.count++;
	model_close(&m);
}
