/* Storage when memory runs out: each allocation of each public function fails once. A writer stays failed after it; a
 * reader goes on with the next call. */
#include "hv/abi/guest_state.h"
#include "storage/chunk.h"
#include "storage/trace_reader.h"
#include "storage/trace_repair.h"
#include "storage/trace_salvage.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/trace_fixture.h"

enum { EVENTS = 300, PAGES = 70, BLOCKS = 80 };

/* Some thousand traces are made: in memory, where there is such a folder. */
static void setup(void)
{
	strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/hvrec-test-XXXXXX" : "/tmp/hvrec-test-XXXXXX");
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/t.hvrec", folder);
}

TestSuite(fail_storage, .timeout = 900, .init = setup, .fini = fixture_teardown);

static uint8_t page_bytes[PAGES * TRACE_PAGE_BYTES];
static struct trace_page pages[PAGES];

static void pages_fill(uint8_t value, size_t same_from)
{
	for (size_t i = 0; i < sizeof(page_bytes); i++)
		page_bytes[i] = (uint8_t)(i * i / 7 + value);
	for (size_t i = 0; i < PAGES; i++)
		pages[i] = (struct trace_page){i * 3, i < same_from ? page_bytes + i * TRACE_PAGE_BYTES : NULL};
}

static bool keyframe_put(struct trace_writer *w, uint64_t at_event, struct error *error)
{
	static const struct guest_state state;
	return trace_put_pages(w, pages, PAGES, error) &&
	       trace_put_keyframe(w, at_event * 50, at_event, &state, sizeof(state), error);
}

/* Blocks of a disk, of event `event`, and what it brought. */
static bool device_put(struct trace_writer *w, uint64_t event, struct error *error)
{
	for (uint64_t i = 0; i < BLOCKS; i++) {
		if (!trace_put_block(w, 1, i * 3, event, page_bytes + (i + event) % PAGES * TRACE_PAGE_BYTES, error))
			return false;
	}
	return trace_put_payload(w, event, page_bytes, 1000, error);
}

/* A trace with files, texts, events, two keyframes, and what devices brought. */
static bool all_put(struct trace_writer *w, struct error *error)
{
	pages_fill(1, PAGES);
	bool good = trace_put_text(w, TRACE_META_BOOTARGS, "quiet", error) &&
		    trace_put_u64(w, TRACE_META_VCPU_COUNT, 1, error) &&
		    trace_put_file(w, "kernel", "some code", 9, error) && fixture_commit(w, 0, 100, error) &&
		    keyframe_put(w, 100, error) && device_put(w, 100, error) && fixture_commit(w, 100, 100, error);
	pages_fill(2, 40);
	return good && keyframe_put(w, 200, error) && device_put(w, 210, error) &&
	       fixture_commit(w, 200, EVENTS - 200, error);
}

static void trace_make(void)
{
	struct error error = {0};
	struct trace_writer *w = trace_create(path, &error);
	cr_assert(w && all_put(w, &error) && trace_finish(w, &error), "%s", error.text);
	trace_writer_free(w);
}

static struct trace_reader *reader(void)
{
	struct error error = {0};
	struct trace_reader *r = trace_open(path, &error);
	cr_assert(r, "%s", error.text);
	return r;
}

/* ---- writer ---- */

Test(fail_storage, create)
{
	FAIL_ALLOC_BOTH(f)
	{
		fail_alloc_arm(&f);
		struct trace_writer *w = trace_create(path, &f.error);
		fail_alloc_judge(&f, w != NULL);
		trace_writer_free(w);
		if (!w) {
			struct error later = {0};
			cr_assert((w = trace_create(path, &later)), "%s", later.text);
			trace_writer_free(w);
		}
	}
}

/* What failed once stays so, and the file has what was committed before. */
static void writer_judge(struct fail_alloc *f, struct trace_writer *w, bool good)
{
	fail_alloc_judge(f, good);
	if (!good) {
		struct error again = {0};
		cr_assert_not(trace_commit(w, &again));
		cr_assert_str_eq(again.text, f->error.text);
		cr_assert_not(trace_finish(w, &again));
	}
	trace_writer_free(w);
	struct trace_reader *r = reader();
	trace_close(r);
}

static struct trace_writer *writer(void)
{
	struct error error = {0};
	struct trace_writer *w = trace_create(path, &error);
	cr_assert(w, "%s", error.text);
	return w;
}

Test(fail_storage, put_and_append_and_commit)
{
	FAIL_ALLOC_BOTH(f)
	{
		struct trace_writer *w = writer();
		fail_alloc_arm(&f);
		writer_judge(&f, w, all_put(w, &f.error));
	}
}

Test(fail_storage, finish)
{
	FAIL_ALLOC_BOTH(f)
	{
		struct error error = {0};
		struct trace_writer *w = writer();
		cr_assert(all_put(w, &error), "%s", error.text);
		fail_alloc_arm(&f);
		writer_judge(&f, w, trace_finish(w, &f.error));
	}
}

Test(fail_storage, forget)
{
	FAIL_ALLOC_BOTH(f)
	{
		struct error error = {0};
		struct trace_writer *w = writer();
		cr_assert(all_put(w, &error), "%s", error.text);
		fail_alloc_arm(&f);
		writer_judge(&f, w, trace_forget_before(w, 200 * 50, &f.error) && trace_commit(w, &f.error));
	}
}

/* ---- reader ---- */

Test(fail_storage, open)
{
	trace_make();
	FAIL_ALLOC_BOTH(f)
	{
		fail_alloc_arm(&f);
		struct trace_reader *r = trace_open(path, &f.error);
		fail_alloc_judge(&f, r != NULL);
		trace_close(r);
	}
}

typedef bool read_fn(struct trace_reader *r, struct error *error);

/* Each way of reading, with our own allocations failing and with sqlite's; the same reader then reads once more. */
static void expect_reads(read_fn *read)
{
	trace_make();
	FAIL_ALLOC_BOTH(f)
	{
		struct error later = {0};
		struct trace_reader *r = reader();
		fail_alloc_arm(&f);
		fail_alloc_judge(&f, read(r, &f.error));
		cr_assert(read(r, &later), "round %zu: the next call fails: %s", f.round, later.text);
		trace_close(r);
	}
}

static bool text_read(struct trace_reader *r, struct error *error)
{
	char *text = NULL;
	bool good = trace_get_text(r, TRACE_META_BOOTARGS, &text, error) == TRACE_FOUND;
	cr_assert(good == (text != NULL));
	free(text);
	return good;
}

Test(fail_storage, get_text)
{
	expect_reads(text_read);
}

static bool number_read(struct trace_reader *r, struct error *error)
{
	uint64_t value = 0;
	return trace_get_u64(r, TRACE_META_VCPU_COUNT, &value, error) == TRACE_FOUND && value == 1;
}

Test(fail_storage, get_u64)
{
	expect_reads(number_read);
}

static bool file_read(struct trace_reader *r, struct error *error)
{
	void *data = NULL;
	size_t bytes = 0;
	bool good = trace_get_file(r, "kernel", &data, &bytes, error) == TRACE_FOUND;
	cr_assert(good == (data != NULL));
	free(data);
	return good;
}

Test(fail_storage, get_file)
{
	expect_reads(file_read);
}

static bool file_seen(const char *name, void *context, struct error *error)
{
	(void)name, (void)error;
	++*(int *)context;
	return true;
}

static bool meta_seen(const char *key, const char *text, uint64_t number, void *context, struct error *error)
{
	(void)key, (void)text, (void)number, (void)error;
	++*(int *)context;
	return true;
}

static bool names_read(struct trace_reader *r, struct error *error)
{
	int files = 0, metas = 0;
	return trace_each_file(r, file_seen, &files, error) && files == 1 &&
	       trace_each_meta(r, meta_seen, &metas, error) && metas > 2;
}

Test(fail_storage, each_file_and_each_meta)
{
	expect_reads(names_read);
}

static bool totals_read(struct trace_reader *r, struct error *error)
{
	struct trace_totals totals;
	uint64_t count, last_n, bytes;
	return trace_get_totals(r, &totals, error) && totals.event_count == EVENTS &&
	       trace_get_end(r, &count, &last_n, error) && count == EVENTS && trace_get_bytes(r, &bytes, error);
}

Test(fail_storage, get_totals)
{
	expect_reads(totals_read);
}

static bool keyframes_read(struct trace_reader *r, struct error *error)
{
	static struct guest_state state;
	struct trace_keyframe *keyframes = NULL;
	uint64_t *same = NULL;
	size_t count = 0, same_count = 0;
	bool good = trace_get_keyframes(r, &keyframes, &count, error) && count == 2 &&
		    trace_get_keyframe_state(r, &keyframes[1], &state, sizeof(state), error) &&
		    trace_get_keyframe_same(r, &keyframes[1], &same, &same_count, error) && same_count == PAGES - 40;
	free(keyframes);
	free(same);
	return good;
}

Test(fail_storage, get_keyframes)
{
	expect_reads(keyframes_read);
}

static bool groups_read(struct trace_reader *r, struct error *error)
{
	static uint8_t bytes[TRACE_GROUP_PAGES_MAX * TRACE_PAGE_BYTES];
	uint64_t *ids = NULL, indexes[TRACE_GROUP_PAGES_MAX];
	size_t count = 0;
	bool good = trace_get_groups(r, INT64_MAX, &ids, &count, error) && count > 1 &&
		    trace_get_group_indexes(r, ids[0], indexes, error) > 0 && trace_get_group(r, ids[0], bytes, error);
	free(ids);
	return good;
}

Test(fail_storage, get_groups)
{
	expect_reads(groups_read);
}

static bool block_seen(uint64_t block, uint64_t count, const uint8_t *bytes, void *context, struct error *error)
{
	(void)block, (void)bytes, (void)error;
	*(uint64_t *)context += count;
	return true;
}

static bool blocks_read(struct trace_reader *r, struct error *error)
{
	uint8_t bytes[TRACE_BLOCK_BYTES];
	uint64_t count = 0;
	return trace_get_block(r, 1, 30, 150, bytes, error) == TRACE_FOUND &&
	       trace_get_block(r, 1, 30, 100, bytes, error) == TRACE_ABSENT && error->status == STATUS_OK &&
	       trace_each_block(r, 1, UINT64_MAX, block_seen, &count, error) && count == BLOCKS;
}

Test(fail_storage, get_block)
{
	expect_reads(blocks_read);
}

static bool payload_read(struct trace_reader *r, struct error *error)
{
	void *data = NULL;
	size_t bytes = 0;
	bool good = trace_get_payload(r, 210, &data, &bytes, error) == TRACE_FOUND;
	cr_assert(good == (data != NULL));
	free(data);
	return good;
}

Test(fail_storage, get_payload)
{
	expect_reads(payload_read);
}

static bool cursor_read(struct trace_cursor *c, uint64_t first, struct error *error)
{
	struct event event, expected = fixture_event(first);
	bool good = c && trace_next(c, &event, 1, error) == 1;
	cr_assert(!good || memcmp(&event, &expected, sizeof(event)) == 0);
	trace_cursor_free(c);
	return good;
}

static bool events_read(struct trace_reader *r, struct error *error)
{
	static struct trace_weights weights;
	return cursor_read(trace_seek(r, 0, error), 0, error) && cursor_read(trace_seek(r, 150, error), 150, error) &&
	       cursor_read(trace_seek_n(r, 150 * 50, error), 150, error) &&
	       cursor_read(trace_seek_ns(r, 50, error), 1, error) &&
	       cursor_read(trace_weigh(r, &weights, error), 0, error);
}

Test(fail_storage, seek_and_next)
{
	expect_reads(events_read);
}

/* Copying into a part: the reader's allocations and the writer's. */
Test(fail_storage, copy)
{
	char to[160];
	snprintf(to, sizeof(to), "%s/copy", folder);
	trace_make();
	FAIL_ALLOC_BOTH(f)
	{
		struct error error = {0};
		struct trace_reader *r = reader();
		struct trace_writer *w = trace_create(to, &error);
		cr_assert(w, "%s", error.text);
		fail_alloc_arm(&f);
		fail_alloc_judge(&f, trace_copy_blocks(r, w, 150, EVENTS, &f.error) &&
					     trace_copy_payloads(r, w, 150, EVENTS, &f.error) &&
					     trace_commit(w, &f.error));
		trace_writer_free(w);
		trace_close(r);
	}
}

/* ---- chunks, repair ---- */

Test(fail_storage, chunks)
{
	static struct event events[EVENTS], again[EVENTS];
	for (uint64_t i = 0; i < EVENTS; i++)
		events[i] = fixture_event(i);
	for (struct fail_alloc f = {0}; fail_alloc_next(&f);) {
		uint8_t *raw = NULL;
		size_t raw_bytes = 0;
		struct chunk_events room = {.at = again, .count = EVENTS};
		fail_alloc_arm(&f);
		bool good = chunk_encode(events, EVENTS, 0, &raw, &raw_bytes, &f.error) &&
			    chunk_decode(raw, raw_bytes, &room, &f.error);
		fail_alloc_judge(&f, good);
		cr_assert(!good || memcmp(events, again, sizeof(events)) == 0);
		free(raw);
	}
}

/* What cannot be read for want of memory must not be taken for lost. */
static bool is_whole(const struct trace_repair_report *report)
{
	return report->event_count == EVENTS && report->file_count == 1 && report->keyframe_count == 2 &&
	       report->lost_block_count == 0 && report->lost_payload_count == 0 && report->complete;
}

Test(fail_storage, repair)
{
	char to[160];
	snprintf(to, sizeof(to), "%s/repaired", folder);
	trace_make();
	for (struct fail_alloc f = {0}; fail_alloc_next(&f);) {
		struct trace_repair_report report;
		fail_alloc_arm(&f);
		bool good = trace_repair(path, to, &report, &f.error);
		fail_alloc_judge(&f, good);
		cr_assert(good == (access(to, F_OK) == 0));
		cr_assert(!good || is_whole(&report));
	}
}

Test(fail_storage, survey)
{
	trace_make();
	for (struct fail_alloc f = {0}; fail_alloc_next(&f);) {
		struct trace_repair_report report;
		fail_alloc_arm(&f);
		bool good = trace_repair_survey(path, &report, &f.error);
		fail_alloc_judge(&f, good);
		cr_assert(!good || is_whole(&report));
	}
}
