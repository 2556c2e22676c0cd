/* What disks and packets hold, through the writer and the reader of traces, beside a model that keeps everything as it
 * is: every block before every event, every payload; while it is recorded, and when it is finished. */
#include "storage/trace_format.h"
#include "tests/unit/trace_fixture.h"

TestSuite(blocks, .timeout = 300, .init = fixture_setup, .fini = fixture_teardown);

enum { DISKS = 3, BLOCKS = 40, EVENTS = 400, CONTENTS = 90, NO_CONTENT = -1 };

/* The content of every block after each event, and of the image; NO_CONTENT: the trace has none. Content 0: zeroes. */
struct model {
	uint64_t seed;
	int image[DISKS][BLOCKS];
	int after[EVENTS][DISKS][BLOCKS];
	size_t payload_bytes[EVENTS]; /* + 1; 0: none */
	uint64_t event_count;
	struct trace_writer *w;
};

static const uint32_t disk_numbers[DISKS] = {0, 7, TRACE_DISKS_MAX - 1};
/* Neighbours, and some far from each other. */
static uint64_t block_number(uint64_t index)
{
	return index < 30 ? index : index == BLOCKS - 1 ? TRACE_BLOCKS_MAX - 1 : index << 40;
}

static uint64_t next_random(struct model *m, uint64_t below)
{
	m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
	return (m->seed >> 33) % below;
}

static void content_fill(int content, uint8_t bytes[TRACE_BLOCK_BYTES])
{
	memset(bytes, 0, TRACE_BLOCK_BYTES);
	for (size_t i = 0; content > 0 && i < TRACE_BLOCK_BYTES; i++)
		bytes[i] = (uint8_t)((i * i >> (content % 5)) + (size_t)content * 7 + i / 100);
	memcpy(bytes, &content, sizeof(content));
}

static void payload_fill(uint64_t event, uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(i * event >> 3);
}

static void model_open(struct model *m, uint64_t seed)
{
	struct error error = {0};
	*m = (struct model){.seed = seed};
	for (size_t disk = 0; disk < DISKS; disk++) {
		for (size_t block = 0; block < BLOCKS; block++)
			m->image[disk][block] = NO_CONTENT;
	}
	m->w = trace_create(path, &error);
	cr_assert(m->w, "%s", error.text);
}

static void block_put(struct model *m, size_t disk, size_t block, uint64_t event, int content)
{
	struct error error = {0};
	uint8_t bytes[TRACE_BLOCK_BYTES];
	content_fill(content, bytes);
	cr_assert(trace_put_block(m->w, disk_numbers[disk], block_number(block), event, bytes, &error), "%s",
		  error.text);
}

static int content_random(struct model *m)
{
	return next_random(m, 5) == 0 ? 0 : (int)next_random(m, CONTENTS);
}

/* A block that the guest needs for the first time, if it does. */
static void image_put(struct model *m, size_t disk, size_t block)
{
	if (m->image[disk][block] != NO_CONTENT)
		return;
	m->image[disk][block] = content_random(m);
	for (uint64_t event = 0; event < m->event_count; event++) {
		if (m->after[event][disk][block] == NO_CONTENT)
			m->after[event][disk][block] = m->image[disk][block];
	}
	block_put(m, disk, block, 0, m->image[disk][block]);
}

static void event_random(struct model *m)
{
	struct error error = {0};
	uint64_t event = m->event_count++;
	memcpy(m->after[event], event ? m->after[event - 1] : m->image, sizeof(m->image));
	size_t disk = next_random(m, DISKS), first = next_random(m, BLOCKS), count = next_random(m, 12);
	bool image = next_random(m, 3) == 0;
	for (size_t block = first; block < BLOCKS && block < first + count && event > 0; block++) {
		if (image && m->image[disk][block] == NO_CONTENT) {
			image_put(m, disk, block);
			if (m->after[event][disk][block] == NO_CONTENT)
				m->after[event][disk][block] = m->image[disk][block];
		} else {
			m->after[event][disk][block] = content_random(m);
			block_put(m, disk, block, event, m->after[event][disk][block]);
		}
	}
	if (next_random(m, 3) == 0) {
		static uint8_t bytes[70000];
		size_t size = next_random(m, 4) ? next_random(m, 200) : next_random(m, sizeof(bytes));
		payload_fill(event, bytes, size);
		m->payload_bytes[event] = size + 1;
		cr_assert(trace_put_payload(m->w, event, bytes, size, &error), "%s", error.text);
	}
	struct event as_event = fixture_event(event);
	cr_assert(trace_append(m->w, &as_event, 1, &error), "%s", error.text);
}

static void record(struct model *m, uint64_t seed, uint64_t commit_every)
{
	struct error error = {0};
	model_open(m, seed);
	for (uint64_t event = 0; event < EVENTS; event++) {
		event_random(m);
		if (commit_every && next_random(m, commit_every) == 0)
			cr_assert(trace_commit(m->w, &error), "%s", error.text);
	}
}

static void finish(struct model *m)
{
	struct error error = {0};
	cr_assert(trace_finish(m->w, &error), "%s", error.text);
	trace_writer_free(m->w);
	m->w = NULL;
}

static void expect_block(struct trace_reader *r, uint32_t disk, uint64_t block, uint64_t before_event, int content)
{
	struct error error = {0};
	uint8_t bytes[TRACE_BLOCK_BYTES], expected[TRACE_BLOCK_BYTES];
	enum trace_found found = trace_get_block(r, disk, block, before_event, bytes, &error);
	cr_assert_eq(found, content == NO_CONTENT ? TRACE_ABSENT : TRACE_FOUND, "disk %u block %zu before %zu: %d %s",
		     disk, (size_t)block, (size_t)before_event, found, error.text);
	if (content == NO_CONTENT)
		return;
	content_fill(content, expected);
	cr_assert_eq(memcmp(bytes, expected, sizeof(bytes)), 0, "disk %u block %zu before %zu", disk, (size_t)block,
		     (size_t)before_event);
}

/* Every block before event `before`, one by one and all in order. */
struct listing {
	const int *contents;
	size_t at;
};

static bool block_seen(uint64_t block, const uint8_t *bytes, void *context, struct error *error)
{
	struct listing *listing = context;
	uint8_t expected[TRACE_BLOCK_BYTES];
	(void)error;
	while (listing->at < BLOCKS && listing->contents[listing->at] == NO_CONTENT)
		listing->at++;
	cr_assert_lt(listing->at, BLOCKS);
	cr_assert_eq(block, block_number(listing->at));
	content_fill(listing->contents[listing->at++], expected);
	cr_assert_eq(memcmp(bytes, expected, sizeof(expected)), 0);
	return true;
}

static void expect_blocks(const struct model *m, struct trace_reader *r, uint64_t before_event)
{
	struct error error = {0};
	for (size_t disk = 0; disk < DISKS; disk++) {
		const int *contents = before_event > 0 ? m->after[before_event - 1][disk] : m->image[disk];
		struct listing listing = {contents, 0};
		for (size_t block = 0; block < BLOCKS; block++)
			expect_block(r, disk_numbers[disk], block_number(block), before_event, contents[block]);
		cr_assert(trace_each_block(r, disk_numbers[disk], before_event, block_seen, &listing, &error), "%s",
			  error.text);
		while (listing.at < BLOCKS && contents[listing.at] == NO_CONTENT)
			listing.at++;
		cr_assert_eq(listing.at, BLOCKS);
	}
	expect_block(r, disk_numbers[1], 31, before_event, NO_CONTENT);
	expect_block(r, disk_numbers[1] + 1, 0, before_event, NO_CONTENT);
}

static void expect_payload(const struct model *m, struct trace_reader *r, uint64_t event)
{
	struct error error = {0};
	static uint8_t expected[70000];
	void *data = NULL;
	size_t bytes = 0;
	enum trace_found found = trace_get_payload(r, event, &data, &bytes, &error);
	size_t size = event < m->event_count ? m->payload_bytes[event] : 0;
	cr_assert_eq(found, size ? TRACE_FOUND : TRACE_ABSENT, "event %zu: %d %s", (size_t)event, found, error.text);
	if (size == 0)
		return;
	payload_fill(event, expected, size - 1);
	cr_assert_eq(bytes, size - 1);
	cr_assert_eq(memcmp(data, expected, bytes), 0, "event %zu", (size_t)event);
	free(data);
}

/* All from event `first` on, in a random order. */
static void expect_all_with(struct model *m, struct trace_reader *r, uint64_t first, uint64_t end)
{
	expect_blocks(m, r, end); /* first: what is newer than the index makes the reader read it again */
	expect_blocks(m, r, first);
	for (int i = 0; i < 12; i++)
		expect_blocks(m, r, first + next_random(m, end + 1 - first));
	for (uint64_t event = first; event < end + 2; event++)
		expect_payload(m, r, event);
	for (int i = 0; i < 30; i++)
		expect_payload(m, r, first + next_random(m, end + 1 - first));
}

static struct trace_reader *reader(void)
{
	struct error error = {0};
	struct trace_reader *r = trace_open(path, &error);
	cr_assert(r, "%s", error.text);
	return r;
}

static void expect_all(struct model *m, uint64_t first)
{
	struct trace_reader *r = reader();
	expect_all_with(m, r, first, m->event_count);
	trace_close(r);
}

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

Test(blocks, the_beginning_is_forgotten_again_and_again)
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
Test(blocks, what_is_forgotten_takes_no_place)
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
