/* Reading a trace from the middle, its bytes by kind, and two traces compared: on small traces written here. */
#include "hv/abi/machine.h"
#include "hv/core/sysreg.h"
#include "replay/trace/event_stream.h"
#include "replay/trace/trace_diff.h"
#include "replay/trace/trace_stat.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 150000 };

static char folder[64], paths[2][128];

static void setup(void)
{
	strcpy(folder, "/tmp/hvrec-test-offline-XXXXXX");
	cr_assert(mkdtemp(folder));
	for (int i = 0; i < 2; i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/%d.trace", folder, i);
}

static void teardown(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(offline, .init = setup, .fini = teardown);

/* Several events share one n, across the ends of chunks too. */
static struct event event_number(uint64_t i)
{
	struct event event = {.n = i / 5 * 40, .pc = 0xffff800008000000 + i % 9 * 4, .value = i * i % 251};
	if (i % 101 == 7)
		return (struct event){.n = event.n, .pc = 4, .address = i * 99, .value = i % 1000, .kind = EVENT_IDLE};
	event.kind = i % 3 ? EVENT_MMIO_READ : EVENT_INJECT;
	event.address = i % 3 ? GUEST_UART_IPA + i % 2 * 0x18 : i % 40;
	event.size = i % 3 ? 4 : 0;
	return event;
}

static struct trace_reader *written(int which, const struct event *events, size_t count, size_t commit_every)
{
	struct error error = {0};
	struct trace_writer *w = trace_create(paths[which], &error);
	cr_assert(w, "%s", error.text);
	for (size_t i = 0; i < count; i++) {
		struct event event = events ? events[i] : event_number(i);
		cr_assert(trace_append(w, &event, 1, &error), "%s", error.text);
		if (commit_every && i % commit_every == commit_every - 1)
			cr_assert(trace_commit(w, &error), "%s", error.text);
	}
	cr_assert(commit_every ? trace_commit(w, &error) : trace_finish(w, &error), "%s", error.text);
	trace_writer_free(w);
	struct trace_reader *trace = trace_open(paths[which], &error);
	cr_assert(trace, "%s", error.text);
	return trace;
}

/* The stream that begins at position n gives what a walk over all events gives from there on. */
static void expect_stream_at(struct trace_reader *trace, uint64_t n, size_t count)
{
	struct error error = {0};
	uint64_t index = 0, idle_ns = 0;
	for (; index < count && event_number(index).n < n; index++)
		idle_ns += event_number(index).kind == EVENT_IDLE ? event_number(index).value : 0;
	struct event_stream *stream = event_stream_open(trace_seek_n(trace, n, &error), &error);
	cr_assert(stream, "%s", error.text);
	cr_expect_eq(event_stream_index(stream), index, "n %d", (int)n);
	struct event_at at;
	for (int i = 0; i < 3000 && index < count; i++, index++) {
		struct event event = event_number(index);
		cr_assert(event_stream_next(stream, &at, &error), "n %d: %s", (int)n, error.text);
		cr_assert_eq(at.index, index);
		cr_assert_eq(at.guest_ns, event.n + idle_ns, "event %d", (int)index);
		cr_assert_eq(memcmp(&at.event, &event, sizeof(event)), 0);
		idle_ns += event.kind == EVENT_IDLE ? event.value : 0;
	}
	if (index == count)
		cr_expect_not(event_stream_next(stream, &at, &error));
	cr_expect_eq(error.status, STATUS_OK);
	event_stream_free(stream);
}

Test(offline, a_stream_begins_at_any_position)
{
	struct trace_reader *trace = written(0, NULL, MANY, 0);
	uint64_t end_n = event_number(MANY - 1).n, chunk_n = event_number(65536).n;
	const uint64_t places[] = {0,           1,           40,        41,    chunk_n - 1, chunk_n,
				   chunk_n + 1, 2 * chunk_n, end_n - 1, end_n, end_n + 1,   UINT64_MAX};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		expect_stream_at(trace, places[i], MANY);
	trace_close(trace);
}

Test(offline, a_stream_of_an_incomplete_trace)
{
	struct trace_reader *trace = written(0, NULL, 1000, 7);
	cr_expect_not(trace_is_complete(trace));
	for (uint64_t n = 0; n <= event_number(999).n + 1; n += 13)
		expect_stream_at(trace, n, 1000);
	trace_close(trace);
	trace = written(1, NULL, 0, 0);
	expect_stream_at(trace, 0, 0);
	expect_stream_at(trace, 5, 0);
	trace_close(trace);
}

Test(offline, what_is_before_the_place_is_not_read)
{
	struct error error = {0};
	sqlite3 *db = NULL;
	struct event event;
	trace_close(written(0, NULL, MANY, 0));
	cr_assert_eq(sqlite3_open(paths[0], &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, "UPDATE chunk SET checksum = 1 WHERE first_event = 0", NULL, NULL, NULL),
		     SQLITE_OK);
	sqlite3_close(db);
	struct trace_reader *trace = trace_open(paths[0], &error);
	cr_assert(trace, "%s", error.text);
	expect_stream_at(trace, event_number(MANY - 1).n, MANY);
	struct trace_cursor *cursor = trace_seek_n(trace, 1, &error);
	cr_expect(!cursor || trace_next(cursor, &event, 1, &error) == -1, "the damage is seen where it is read");
	cr_expect_eq(error.status, STATUS_FAILED);
	trace_cursor_free(cursor);
	trace_close(trace);
}

Test(offline, counts_and_bytes_add_up)
{
	struct error error = {0};
	struct trace_stat stat;
	for (size_t commit_every = 0; commit_every <= 1000; commit_every += 1000) {
		size_t count = commit_every ? 2500 : MANY;
		uint64_t kinds[EVENT_KIND_MAX + 1] = {0}, raw_bytes = 0, stored_bytes = 0, timer = 0, idle_ns = 0;
		struct trace_reader *trace = written(0, NULL, count, commit_every);
		cr_assert(trace_stat_get(trace, &stat, &error), "%s", error.text);
		for (size_t i = 0; i < count; i++) {
			kinds[event_number(i).kind]++;
			idle_ns += event_number(i).kind == EVENT_IDLE ? event_number(i).value : 0;
			timer += event_number(i).kind == EVENT_INJECT && event_number(i).address == 27;
		}
		for (int kind = 0; kind <= EVENT_KIND_MAX; kind++) {
			cr_expect_eq(stat.kinds[kind], kinds[kind]);
			cr_expect(kind == 0 || (stat.weights.raw_bytes[kind] > 0) == (kinds[kind] > 0));
			raw_bytes += stat.weights.raw_bytes[kind];
			stored_bytes += stat.weights.stored_bytes[kind];
		}
		cr_expect_eq(raw_bytes, stat.totals.raw_bytes);
		cr_expect_eq(stored_bytes, stat.totals.stored_bytes);
		cr_expect_eq(stat.interrupts[27], timer);
		cr_expect_eq(stat.idle_ns, idle_ns);
		cr_expect_eq(stat.guest_ns, idle_ns + event_number(count - 1).n);
		cr_expect_eq(stat.register_count, 2);
		cr_expect_eq(stat.registers[0].read_count + stat.registers[1].read_count, kinds[EVENT_MMIO_READ]);
		cr_expect_geq(stat.registers[0].read_count, stat.registers[1].read_count);
		cr_expect_eq(stat.complete, commit_every == 0);
		trace_stat_free(&stat);
		trace_close(trace);
	}
}

Test(offline, a_trace_with_more_registers_than_the_table_has_room_for)
{
	enum { REGISTERS = 20000 };
	struct error error = {0};
	struct trace_stat stat;
	struct event *events = calloc(REGISTERS, sizeof(*events));
	cr_assert(events);
	for (size_t i = 0; i < REGISTERS; i++)
		events[i] = (struct event){.n = i, .kind = EVENT_MMIO_WRITE, .address = i << 40, .size = 4};
	struct trace_reader *trace = written(0, events, REGISTERS, 0);
	cr_assert(trace_stat_get(trace, &stat, &error), "%s", error.text);
	cr_expect_eq(stat.register_count + stat.register_other, REGISTERS);
	cr_expect_gt(stat.register_other, 0);
	trace_stat_free(&stat);
	trace_close(trace);
	free(events);
}

static const struct event boot[] = {
	{.n = 10, .pc = 0x1000, .kind = EVENT_MMIO_WRITE, .address = GUEST_UART_IPA, .value = 'A', .size = 1},
	{.n = 20, .pc = 0x1004, .kind = EVENT_SYSREG_READ, .address = SYSREG_KEY(3, 3, 14, 0, 1), .value = 500},
	{.n = 30, .pc = 0x1008, .kind = EVENT_EXIT, .address = EXIT_REASON_VTIMER, .value = 0x1234},
	{.n = 30, .pc = 0x1008, .kind = EVENT_INJECT, .address = 27, .value = 0xa0},
	{.n = 40, .pc = 0x100c, .kind = EVENT_IDLE, .address = 900, .value = 400},
	{.n = 50, .pc = 0x1010, .kind = EVENT_INPUT, .address = GUEST_UART_IPA, .value = 'x'},
	{.n = 60, .pc = 0x1014, .kind = EVENT_MMIO_WRITE, .address = GUEST_UART_IPA, .value = '7', .size = 1},
	{.n = 70, .pc = 0x1018, .kind = EVENT_MMIO_READ, .address = GUEST_RTC_IPA, .value = 1, .size = 4},
	{.n = 80, .pc = 0x101c, .kind = EVENT_END, .address = END_REASON_POWER_OFF, .value = 5},
};
enum { BOOT = sizeof(boot) / sizeof(boot[0]), NOWHERE = -1 };

/* Compares `boot` with `other`; what each way of comparing finds, as the event's index in boot. */
static void expect_diff(const struct event *other, size_t count, int exact, int time, int traps, int digits, int input)
{
	const int expected[TRACE_DIFF_COUNT] = {exact, time, traps, digits, input};
	struct error error = {0};
	struct trace_reader *a = written(0, boot, BOOT, 0), *b = written(1, other, count, 0);
	for (int by = 0; by < TRACE_DIFF_COUNT; by++) {
		struct trace_diff_place place;
		cr_assert(trace_diff_find(a, b, (enum trace_diff_by)by, &place, &error), "%s", error.text);
		cr_expect_eq(place.differs ? (int)place.a.index : NOWHERE, expected[by], "way %d: %d, expected %d", by,
			     place.differs ? (int)place.a.index : NOWHERE, expected[by]);
	}
	trace_close(a);
	trace_close(b);
}

Test(offline, the_same_events_do_not_differ)
{
	expect_diff(boot, BOOT, NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE);
}

Test(offline, time_and_place_do_not_hide_what_differs)
{
	struct event other[BOOT];
	memcpy(other, boot, sizeof(boot));
	for (int i = 1; i < BOOT; i++) {
		other[i].n += 3;
		other[i].pc += 0x7000;
	}
	other[1].value = 503;
	other[2].value = 0x9999;
	other[2].pc += 8;
	other[4].value = 1;
	other[4].address = 1000;
	expect_diff(other, BOOT, 1, NOWHERE, NOWHERE, NOWHERE, NOWHERE);
	other[7].value = 2;
	expect_diff(other, BOOT, 1, 7, 7, 7, NOWHERE);
	other[6].value = '8';
	expect_diff(other, BOOT, 1, 6, 6, 7, NOWHERE);
	other[6].value = 'X';
	expect_diff(other, BOOT, 1, 6, 6, 6, NOWHERE);
	other[5].value = 'y';
	expect_diff(other, BOOT, 1, 5, 6, 6, 5);
	other[3].address = 30;
	expect_diff(other, BOOT, 1, 3, 6, 6, 5);
}

Test(offline, other_code_differs)
{
	struct event other[BOOT];
	memcpy(other, boot, sizeof(boot));
	other[7].pc += 4;
	expect_diff(other, BOOT, 7, 7, 7, 7, NOWHERE);
}

Test(offline, an_interrupt_at_another_place_does_not_hide_what_the_guest_did)
{
	struct event other[BOOT] = {boot[0], boot[2], boot[3], boot[1], boot[4], boot[5], boot[6], boot[7], boot[8]};
	for (int i = 1; i < BOOT; i++)
		other[i].n = 100 + (uint64_t)i;
	expect_diff(other, BOOT, 1, 1, NOWHERE, NOWHERE, NOWHERE);
}

Test(offline, a_shorter_recording_differs_where_it_ends)
{
	expect_diff(boot, 7, 7, 7, 7, 7, NOWHERE);
	expect_diff(boot, 3, 3, 3, 6, 6, 5);
	expect_diff(boot, 0, 0, 0, 0, 0, 5);
}

static char reported[512];

static void report(const char *name, const char *a, const char *b, void *context)
{
	(void)context;
	size_t used = strlen(reported);
	snprintf(reported + used, sizeof(reported) - used, "%s=%s/%s;", name, a ? a : "", b ? b : "");
}

static struct trace_reader *guest_of(int which, const char *kernel, const char *bootargs, uint64_t rtc_base_s)
{
	struct error error = {0};
	struct trace_writer *w = trace_create(paths[which], &error);
	cr_assert(w, "%s", error.text);
	cr_assert(trace_put_file(w, "kernel", kernel, strlen(kernel), &error));
	cr_assert(trace_put_file(w, "dtb", kernel, strlen(kernel), &error));
	if (bootargs)
		cr_assert(trace_put_text(w, TRACE_META_BOOTARGS, bootargs, &error));
	cr_assert(trace_put_u64(w, TRACE_META_RTC_BASE_S, rtc_base_s, &error));
	cr_assert(trace_finish(w, &error), "%s", error.text);
	trace_writer_free(w);
	struct trace_reader *trace = trace_open(paths[which], &error);
	cr_assert(trace, "%s", error.text);
	return trace;
}

Test(offline, what_two_guests_began_with)
{
	static const struct {
		const char *kernel, *bootargs, *reported;
		uint64_t rtc_base_s;
	} cases[] = {
		{"abc", "quiet", "", 7},
		{"abd", "quiet", "kernel=/;device tree=/;", 7}, /* a device tree that is none is compared as bytes */
		{"abcd", "quiet", "kernel=3 bytes/4 bytes;device tree=3 bytes/4 bytes;", 7},
		{"abc", "loud", "command line=quiet/loud;real-time clock at the start, s=7/8;", 8},
		{"abc", NULL, "command line=quiet/unknown;", 7},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = {0};
		struct trace_reader *a = guest_of(0, "abc", "quiet", 7);
		struct trace_reader *b = guest_of(1, cases[i].kernel, cases[i].bootargs, cases[i].rtc_base_s);
		reported[0] = 0;
		cr_assert(trace_diff_inputs(a, b, report, NULL, &error), "%s", error.text);
		cr_expect_str_eq(reported, cases[i].reported);
		trace_close(a);
		trace_close(b);
	}
}
