/* What reads a trace when memory runs out: each allocation of each public function that needs no machine fails once,
 * in what tells of a trace, in a guest that is put back, in searches, in the report and in the stub. */
#include "gdbstub/text.h"
#include "hv/host/state_hash.h"
#include "replay/guest/kernel.h"
#include "replay/guest/symbol_elf.h"
#include "replay/run/guest.h"
#include "replay/trace/events.h"
#include "replay/trace/keyframe_index.h"
#include "replay/trace/trace_diff.h"
#include "replay/trace/trace_stat.h"
#include "replay/trace/trim.h"
#include "replay/travel/hits.h"
#include "replay/travel/page_source.h"
#include "replay/travel/stretches.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/keyframe_model.h"
#include "tools/report/report_page.h"

#include <sys/mman.h>

static struct model m;
static char other[128];

/* What a recorder puts into a trace before its events; RAM is zero. */
static void facts_put(void)
{
	struct error error = {0};
	char hash[STATE_HASH_TEXT_BYTES];
	static const enum trace_meta_number numbers[] = {TRACE_META_ENTRY_IPA, TRACE_META_DTB_IPA,
							 TRACE_META_RTC_BASE_S};
	struct machine *machine = machine_create(MODEL_RAM_BYTES, 1, &error);
	bool good = machine && state_hash(machine, NULL, hash, &error) &&
		    trace_put_text(m.trace, TRACE_META_INITIAL_RAM_HASH, hash, &error) &&
		    trace_put_text(m.trace, TRACE_META_KERNEL_KIND, "Linux Image", &error) &&
		    trace_put_text(m.trace, TRACE_META_FINGERPRINT, "1 2", &error) &&
		    trace_put_u64(m.trace, TRACE_META_MACHINE_VERSION, GUEST_MACHINE_VERSION, &error) &&
		    trace_put_u64(m.trace, TRACE_META_RAM_BYTES, MODEL_RAM_BYTES, &error) &&
		    trace_put_u64(m.trace, TRACE_META_VCPU_COUNT, 1, &error) &&
		    trace_put_file(m.trace, "ram/40000000", "\0\0\0", 3, &error) &&
		    trace_put_file(m.trace, "kernel", "kernel", 6, &error);
	for (size_t i = 0; i < 3; i++)
		good = good && trace_put_u64(m.trace, numbers[i], i == 0 ? GUEST_RAM_IPA : 0, &error);
	cr_assert(good, "%s", error.text);
	machine_destroy(machine);
}

static void setup(void)
{
	model_open(&m, 5);
	facts_put();
	for (int i = 0; i < 4; i++) {
		model_events(&m);
		model_keyframe(&m);
	}
	model_events(&m);
	model_finish(&m);
	snprintf(other, sizeof(other), "%s/other", m.folder);
}

static void teardown(void)
{
	model_close(&m);
}

TestSuite(fail_replay, .timeout = 900, .init = setup, .fini = teardown);

typedef bool read_fn(struct trace_reader *r, struct error *error);

/* The same reader reads once more after each failure. */
static void expect_reads(read_fn *read)
{
	FAIL_ALLOC_BOTH(f)
	{
		struct error error = {0};
		struct trace_reader *r = trace_open(m.path, &error);
		cr_assert(r, "%s", error.text);
		fail_alloc_arm(&f);
		fail_alloc_judge(&f, read(r, &f.error));
		cr_assert(read(r, &error), "round %zu: the next call fails: %s", f.round, error.text);
		trace_close(r);
	}
}

/* ---- replay/trace ---- */

static bool events_read(struct trace_reader *r, struct error *error)
{
	struct events *events = events_open(r, error);
	const struct event *event = events ? events_get(events, 20, error) : NULL;
	bool good = event && events_find(events, event->n, error) <= 20;
	events_close(events);
	return good;
}

Test(fail_replay, events)
{
	expect_reads(events_read);
}

static bool stream_read(struct trace_reader *r, struct error *error)
{
	struct event_at at;
	struct event_stream *stream = event_stream_open(trace_seek(r, 10, error), error);
	bool good = stream && event_stream_next(stream, &at, error) && at.index == 10;
	event_stream_free(stream);
	return good;
}

Test(fail_replay, event_stream)
{
	expect_reads(stream_read);
}

static bool stat_read(struct trace_reader *r, struct error *error)
{
	struct trace_stat stat;
	bool good = trace_stat_get(r, &stat, error);
	cr_assert(!good || stat.kinds[EVENT_EXIT] == m.event_count);
	trace_stat_free(&stat);
	return good;
}

Test(fail_replay, stat)
{
	expect_reads(stat_read);
}

static void difference(const char *name, const char *a, const char *b, void *context)
{
	(void)name, (void)a, (void)b, (void)context;
}

static bool diff_read(struct trace_reader *r, struct error *error)
{
	struct trace_diff_place place;
	struct trace_reader *again = trace_open(m.path, error);
	bool good = again && trace_diff_find(r, again, TRACE_DIFF_TRAPS, &place, error) &&
		    trace_diff_inputs(r, again, difference, NULL, error);
	cr_assert(!good || !place.differs);
	trace_close(again);
	return good;
}

Test(fail_replay, diff)
{
	expect_reads(diff_read);
}

static bool keyframes_read(struct trace_reader *r, struct error *error)
{
	struct keyframe_index index = {0};
	static struct guest_state state;
	size_t count = 0;
	uint8_t *ram = mmap(NULL, MODEL_RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool good = keyframe_index_open(&index, r, MODEL_PAGES, error) &&
		    keyframe_index_state(&index, 2, &state, error) && keyframe_index_ram(&index, 3, ram, error);
	cr_assert(!good || (index.count == 4 && memcmp(ram, m.at[3].ram, MODEL_RAM_BYTES) == 0));
	struct keyframe_page *pages = good ? keyframe_index_newest(&index, 0, 2, &count) : NULL;
	if (good && !pages)
		good = error_set(error, STATUS_FAILED, "no memory"); /* it has no error of its own */
	free(pages);
	keyframe_index_close(&index);
	munmap(ram, MODEL_RAM_BYTES);
	return good;
}

Test(fail_replay, keyframe_index)
{
	expect_reads(keyframes_read);
}

Test(fail_replay, trim)
{
	FAIL_ALLOC_BOTH(f)
	{
		struct trim_result result;
		fail_alloc_arm(&f);
		bool good = trim_run(m.path, other, m.at[1].n, m.at[3].n, &result, &f.error);
		fail_alloc_judge(&f, good);
		cr_assert(good == (access(other, F_OK) == 0), "round %zu", f.round);
		unlink(other);
	}
}

/* ---- replay/run, replay/guest ---- */

static bool guest_read(struct trace_reader *r, struct error *error)
{
	struct machine_config config = {0};
	struct keyframe_index index = {0};
	struct machine *machine = guest_restore(r, &config, error);
	bool good = machine && keyframe_index_open(&index, r, MODEL_PAGES, error) &&
		    guest_resume(&index, 1, machine, &config, error);
	cr_assert(!good || memcmp(machine->guest_ram, m.at[1].ram, MODEL_RAM_BYTES) == 0);
	keyframe_index_close(&index);
	machine_destroy(machine);
	return good;
}

Test(fail_replay, guest_restore_and_resume)
{
	expect_reads(guest_read);
}

static bool pages_read(struct trace_reader *r, struct error *error)
{
	struct page_source source = {.trace = r, .ram_bytes = MODEL_RAM_BYTES};
	bool good = page_source_start(&source, 1, error) && page_source_kept(&source, 0, 0, error) &&
		    page_source_kept(&source, 1, 0, error);
	page_source_close(&source);
	return good;
}

Test(fail_replay, page_source)
{
	expect_reads(pages_read);
}

static bool kernel_seen(struct trace_reader *r, struct error *error)
{
	struct kernel kernel;
	bool good = kernel_read(r, m.path, &kernel, error);
	kernel_free(&kernel);
	return good;
}

Test(fail_replay, kernel)
{
	expect_reads(kernel_seen);
}

static bool symbols_make(struct symbols *symbols, struct error *error)
{
	static const char map[] = "ffff800008000000 t _text\nffff800008010800 T vectors\nffff800009000000 D jiffies\n";
	bool good = symbols_add_system_map(symbols, map, UINT64_C(0xffff800008000000), "System.map", error);
	for (uint64_t i = 0; i < 100 && good; i++)
		good = symbols_add(symbols, UINT64_C(0xffff800009000000) + i, 'd', "some_name", 9, error);
	return good;
}

Test(fail_replay, symbols)
{
	for (struct fail_alloc f = {0}; fail_alloc_next(&f);) {
		struct symbols symbols = {0};
		struct error error = {0};
		fail_alloc_arm(&f);
		bool made = symbols_make(&symbols, &f.error);
		symbols_sort(&symbols);
		fail_alloc_judge(&f, made && symbol_elf_write(&symbols, other, &f.error));
		cr_assert(symbols_add(&symbols, 1, 't', "later", 5, &error), "%s", error.text);
		cr_assert(symbol_elf_write(&symbols, other, &error), "%s", error.text);
		symbols_free(&symbols);
	}
}

/* ---- replay/travel ---- */

static bool learn(struct hit_set *set, uint64_t low, uint64_t high)
{
	struct hit_list list = {0};
	bool good = true;
	for (uint64_t n = low; n < high && good; n++)
		good = hit_list_add(&list, &(struct hit){n, HIT_PLACE, {STOP_BREAKPOINT, n}});
	good = good && hits_learn(set, low, high, &list);
	hit_list_free(&list);
	return good;
}

/* What could not be joined is forgotten, and searched again: no failure. */
Test(fail_replay, hits)
{
	static const struct points_packed points;
	for (struct fail_alloc f = {.silent = true, .tolerates = true}; fail_alloc_next(&f);) {
		struct hits hits = {0};
		struct hit hit;
		uint64_t n = 30;
		fail_alloc_arm(&f);
		struct hit_set *set = hits_of(&hits, &points);
		bool good = set && learn(set, 0, 100) && learn(set, 200, 300) && learn(set, 100, 200);
		fail_alloc_judge(&f, good);
		set = hits_of(&hits, &points);
		cr_assert(set && learn(set, 0, 100) && hits_before(set, &n, &hit) && hit.n == 29);
		hits_free(&hits);
	}
}

Test(fail_replay, stretches)
{
	static const uint64_t positions[] = {10, 20, 30};
	for (struct fail_alloc f = {.silent = true}; fail_alloc_next(&f);) {
		struct stretches stretches = {0};
		fail_alloc_arm(&f);
		fail_alloc_judge(&f, stretches_divide(&stretches, 0, 40, positions, 3));
		stretches_free(&stretches);
	}
}

/* ---- the report ---- */

static bool report_write(struct trace_reader *r, struct error *error)
{
	static const struct symbols none;
	FILE *out = fopen("/dev/null", "w");
	bool good = out && report_page_write(r, "a trace", &none, out, error);
	if (out)
		fclose(out);
	else
		error_set(error, STATUS_FAILED, "the test's own file");
	return good;
}

Test(fail_replay, report)
{
	expect_reads(report_write);
}

/* ---- the stub ---- */

Test(fail_replay, text)
{
	for (struct fail_alloc f = {.silent = true}; fail_alloc_next(&f);) {
		struct text text = {0};
		static const char bytes[3000];
		fail_alloc_arm(&f);
		text_add(&text, bytes, 10);
		text_hex(&text, bytes, sizeof(bytes));
		fail_alloc_judge(&f, !text.failed);
		text_free(&text);
		text_byte(&text, 'x');
		cr_assert(!text.failed && text.count == 1 && text.data[0] == 'x');
		text_free(&text);
	}
}
