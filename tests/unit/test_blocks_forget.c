/* Recordings that keep only their last part: what is needed of disks and packets stays, and what is not goes. */
#include "tests/unit/blocks_model.h"

TestSuite(blocks_forget, .timeout = 300, .init = fixture_setup, .fini = fixture_teardown);

static struct model m;

/* A keyframe here; its position. */
static uint64_t keyframe_put(struct model *of)
{
	static const uint8_t state[64];
	struct error error = {0};
	uint64_t n = (of->event_count - 1) * 50 + 1;
	cr_assert(trace_put_keyframe(of->w, n, of->event_count, state, sizeof(state), &error), "%s", error.text);
	return n;
}

static uint64_t count_of(const char *query)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *row = NULL;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, query, -1, &row, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(row), SQLITE_ROW);
	uint64_t count = (uint64_t)sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	sqlite3_close(db);
	return count;
}

Test(blocks_forget, the_beginning_is_forgotten_again_and_again)
{
	struct error error = {0};
	for (uint64_t seed = 20; seed < 24; seed++) {
		uint64_t first = 0;
		model_open(&m, seed);
		while (m.event_count + 50 < EVENTS) {
			for (uint64_t count = 1 + next_random(&m, 40); count > 0; count--)
				event_random(&m);
			uint64_t n = keyframe_put(&m), at = m.event_count;
			for (uint64_t count = next_random(&m, 8); count > 0; count--)
				event_random(&m);
			if (next_random(&m, 3) == 0)
				continue;
			cr_assert(trace_forget_before(m.w, n, &error), "%s", error.text);
			cr_assert(trace_commit(m.w, &error), "%s", error.text);
			first = at;
			expect_all(&m, first);
		}
		finish(&m);
		expect_all(&m, first);
	}
}

enum { ROUNDS = 15, WIDTH = 1000 };

/* Every block, with contents that there never were. */
static void blocks_put(struct model *of, uint64_t event, int first_content)
{
	struct error error = {0};
	uint8_t bytes[TRACE_BLOCK_BYTES];
	for (uint64_t i = 0; i < WIDTH; i++) {
		content_fill(first_content + (int)i, bytes);
		cr_assert(trace_put_block(of->w, 0, i * 77 % WIDTH, event, bytes, &error), "%s", error.text);
	}
}

static void round_put(struct model *of, uint64_t round)
{
	static const uint8_t bytes[5000];
	struct error error = {0};
	blocks_put(of, round, (int)round * WIDTH);
	cr_assert(trace_put_payload(of->w, round, bytes, sizeof(bytes), &error), "%s", error.text);
	while (of->event_count <= round) {
		struct event event = fixture_event(of->event_count++);
		cr_assert(trace_append(of->w, &event, 1, &error), "%s", error.text);
	}
}

static void expect_round(uint64_t round)
{
	struct trace_reader *r = reader();
	for (uint64_t i = 0; i < WIDTH; i++)
		expect_block(r, 0, i * 77 % WIDTH, round + 1, (int)(round * WIDTH + i));
	trace_close(r);
}

/* What stays is what the start needs, and what is behind it. */
Test(blocks_forget, what_is_forgotten_takes_no_place)
{
	struct error error = {0};
	model_open(&m, 1);
	round_put(&m, 1);
	blocks_put(&m, 0, (ROUNDS + 1) * WIDTH); /* the image's come late */
	for (uint64_t round = 1; round < ROUNDS; round++) {
		uint64_t n = keyframe_put(&m);
		round_put(&m, round + 1);
		cr_assert(trace_forget_before(m.w, n, &error) && trace_commit(m.w, &error), "%s", error.text);
		expect_round(round);
		expect_round(round + 1);
	}
	uint64_t bytes = 4096 * count_of("SELECT page_count FROM pragma_page_count");
	finish(&m);
	cr_assert_leq(count_of("SELECT sum(content_count) FROM block_group"), 2 * WIDTH + 2 * 64);
	cr_assert_leq(count_of("SELECT count(*) FROM block_version"), 3);
	cr_assert_leq(count_of("SELECT sum(payload_count) FROM payload_group"), ROUNDS);
	cr_assert_lt(bytes, 8 << 20, "%zu", (size_t)bytes);
	expect_round(ROUNDS);
}

/* Long stretches of zeroes are forgotten in another way. */
Test(blocks_forget, what_discards_superseded_may_stay_and_the_zeroes_are_right)
{
	struct error error = {0};
	uint8_t bytes[TRACE_BLOCK_BYTES];
	model_open(&m, 1);
	round_put(&m, 1);
	cr_assert(trace_put_zeroes(m.w, 0, WIDTH / 2, UINT64_C(1) << 45, 2, &error), "%s", error.text);
	content_fill(7, bytes);
	cr_assert(trace_put_block(m.w, 0, WIDTH - 1, 3, bytes, &error), "%s", error.text);
	while (m.event_count < 5) {
		struct event event = fixture_event(m.event_count++);
		cr_assert(trace_append(m.w, &event, 1, &error), "%s", error.text);
	}
	uint64_t n = keyframe_put(&m);
	cr_assert(trace_forget_before(m.w, n, &error), "%s", error.text);
	cr_assert(trace_put_zeroes(m.w, 0, 0, 10, 5, &error) && trace_finish(m.w, &error), "%s", error.text);
	trace_writer_free(m.w);
	struct trace_reader *r = reader();
	for (uint64_t i = 0; i < WIDTH; i++) {
		uint64_t block = i * 77 % WIDTH;
		int content = block < WIDTH / 2 ? (int)(WIDTH + i) : block == WIDTH - 1 ? 7 : 0;
		expect_block(r, 0, block, 5, content);
		expect_block(r, 0, block, 6, block < 10 ? 0 : content);
	}
	expect_block(r, 0, UINT64_C(1) << 44, 5, 0);
	trace_close(r);
}
