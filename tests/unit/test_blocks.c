/* What disks and packets hold, through the writer and the reader of traces: while it is recorded, and when it is
 * finished; and a part of it. */
#include "tests/unit/blocks_model.h"

TestSuite(blocks, .timeout = 300, .init = fixture_setup, .fini = fixture_teardown);

static struct model m;

Test(blocks, all_versions_and_payloads_come_back)
{
	for (uint64_t seed = 1; seed < 6; seed++) {
		record(&m, seed, seed * 10 % 40);
		finish(&m);
		expect_all(&m, 0);
	}
}

Test(blocks, a_trace_is_read_while_it_is_recorded)
{
	struct error error = {0};
	model_open(&m, 11);
	event_random(&m);
	cr_assert(trace_commit(m.w, &error), "%s", error.text);
	struct trace_reader *r = reader();
	for (int commit = 0; commit < 30; commit++) {
		for (int i = 0; i < 10; i++)
			event_random(&m);
		cr_assert(trace_commit(m.w, &error), "%s", error.text);
		expect_all_with(&m, r, 0, m.event_count);
	}
	trace_close(r);
	trace_writer_free(m.w);
	expect_all(&m, 0);
}

/* Blocks by the thousand: rows and groups are more than one, and equal contents cost nothing. */
Test(blocks, rows_and_groups_are_filled_and_equal_contents_are_kept_once)
{
	enum { MANY = 20000 };
	struct error error = {0};
	struct trace_totals totals;
	uint8_t bytes[TRACE_BLOCK_BYTES];
	struct trace_writer *w = trace_create(path, &error);
	cr_assert(w, "%s", error.text);
	for (uint64_t i = 0; i < MANY; i++) {
		content_fill((int)(i % 500), bytes);
		cr_assert(trace_put_block(w, 1, i * 7919 % MANY, 1 + i, bytes, &error), "%s", error.text);
	}
	cr_assert(trace_finish(w, &error), "%s", error.text);
	trace_writer_free(w);
	struct trace_reader *r = reader();
	for (uint64_t i = 0; i < MANY; i++)
		expect_block(r, 1, i * 7919 % MANY, UINT64_MAX, (int)(i % 500));
	cr_assert(trace_get_totals(r, &totals, &error), "%s", error.text);
	cr_assert_eq(totals.block_count, MANY);
	cr_assert_eq(totals.block_content_count, 499);
	trace_close(r);
}

/* A part of a trace, as `hvrec trim` makes it. */
Test(blocks, a_part_has_what_its_events_need)
{
	struct error error = {0};
	char whole[160];
	snprintf(whole, sizeof(whole), "%s/whole", folder);
	for (uint64_t seed = 30; seed < 36; seed++) {
		record(&m, seed, 0);
		finish(&m);
		cr_assert_eq(rename(path, whole), 0);
		uint64_t first = next_random(&m, EVENTS), end = first + next_random(&m, EVENTS - first);
		struct trace_reader *r = trace_open(whole, &error);
		struct trace_writer *w = trace_create(path, &error);
		cr_assert(r && w && trace_copy_blocks(r, w, first, end, &error) &&
				  trace_copy_payloads(r, w, first, end, &error) && trace_finish(w, &error),
			  "%s", error.text);
		trace_writer_free(w);
		trace_close(r);
		memset(&m.payload_bytes[0], 0, first * sizeof(m.payload_bytes[0]));
		memset(&m.payload_bytes[end], 0, (EVENTS - end) * sizeof(m.payload_bytes[0]));
		r = reader();
		expect_all_with(&m, r, first, end);
		expect_blocks(&m, r, end);
		trace_close(r);
	}
}

static bool stretch_seen(uint64_t block, uint64_t count, const uint8_t *bytes, void *context, struct error *error)
{
	char *text = context;
	size_t used = strlen(text);
	(void)error;
	snprintf(text + used, 200 - used, " %zu+%zu%s", (size_t)block, (size_t)(count > 1 << 20 ? 0 : count),
		 bytes ? "" : "z");
	return true;
}

/* A disk that was discarded takes no more than a block, in the file and when it is read or copied. */
Test(blocks, zeroes_are_kept_at_the_cost_of_one_block)
{
	struct error error = {0};
	uint8_t bytes[TRACE_BLOCK_BYTES];
	char copy[160], text[200] = "";
	snprintf(copy, sizeof(copy), "%s/copy", folder);
	content_fill(5, bytes);
	struct trace_writer *w = trace_create(path, &error);
	cr_assert(w && trace_put_block(w, 2, 10, 1, bytes, &error), "%s", error.text);
	cr_assert(trace_put_zeroes(w, 2, 5, TRACE_BLOCKS_MAX - 5, 2, &error), "%s", error.text);
	cr_assert(trace_put_block(w, 2, 20, 3, bytes, &error), "%s", error.text);
	cr_assert(trace_put_zeroes(w, 2, 21, 2, 3, &error) && trace_put_zeroes(w, 2, 23, 2, 3, &error));
	cr_assert(trace_finish(w, &error), "%s", error.text);
	trace_writer_free(w);
	struct trace_reader *r = reader();
	w = trace_create(copy, &error);
	cr_assert(w && trace_copy_blocks(r, w, 3, 4, &error) && trace_finish(w, &error), "%s", error.text);
	trace_writer_free(w);
	trace_close(r);
	for (int i = 0; i < 2; i++) {
		r = trace_open(i == 0 ? path : copy, &error);
		expect_block(r, 2, TRACE_BLOCKS_MAX - 1, 4, 0);
		expect_block(r, 2, 10, 3, 0);
		expect_block(r, 2, 20, 4, 5);
		expect_block(r, 2, 4, 4, NO_CONTENT);
		text[0] = 0;
		cr_assert(trace_each_block(r, 2, 4, stretch_seen, text, &error), "%s", error.text);
		cr_expect(strstr(text, " 20+1 21+4z") && strstr(text, "+0z"), "%s", text);
		trace_close(r);
	}
	w = trace_create(path, &error);
	cr_expect_not(w && trace_put_zeroes(w, 2, 5, TRACE_BLOCKS_MAX - 4, 2, &error));
	trace_writer_free(w);
}

Test(blocks, without_devices_a_trace_has_no_tables_for_them)
{
	struct error error = {0};
	uint8_t bytes[TRACE_BLOCK_BYTES];
	void *data;
	size_t size;
	fixture_record(10, 0);
	struct trace_reader *r = reader();
	cr_assert_eq(trace_get_block(r, 0, 0, 5, bytes, &error), TRACE_ABSENT, "%s", error.text);
	cr_assert_eq(trace_get_payload(r, 0, &data, &size, &error), TRACE_ABSENT, "%s", error.text);
	cr_assert(trace_each_block(r, 0, 5, block_seen, NULL, &error), "%s", error.text);
	trace_close(r);
	sqlite3 *db = NULL;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_neq(sqlite3_exec(db, "SELECT 1 FROM block_version", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

Test(blocks, the_writer_refuses_what_no_reader_would_take)
{
	static const uint8_t bytes[TRACE_PAYLOAD_BYTES_MAX + 1];
	static const struct {
		uint32_t disk;
		uint64_t block, event;
	} wrongs[] = {{TRACE_DISKS_MAX, 0, 10}, {0, TRACE_BLOCKS_MAX, 10}, {0, 0, 9}, {0, 0, UINT64_MAX}};
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct error error = {0};
		struct trace_writer *w = trace_create(path, &error);
		cr_assert(w && trace_put_block(w, 0, 5, 10, bytes, &error), "%s", error.text);
		cr_assert(trace_put_block(w, 0, 6, 0, bytes, &error), "%s", error.text);
		cr_expect_not(trace_put_block(w, wrongs[i].disk, wrongs[i].block, wrongs[i].event, bytes, &error));
		cr_expect(strstr(error.text, "a bug of hvrec"), "%s", error.text);
		trace_writer_free(w);
	}
	for (uint64_t event = 9; event < 12; event++) {
		struct error error = {0};
		struct trace_writer *w = trace_create(path, &error);
		cr_assert(w && trace_put_payload(w, 10, bytes, 1, &error), "%s", error.text);
		cr_expect_not(trace_put_payload(w, event, bytes, event == 11 ? sizeof(bytes) : 1, &error));
		cr_expect(strstr(error.text, "a bug of hvrec"), "%s", error.text);
		trace_writer_free(w);
	}
}
