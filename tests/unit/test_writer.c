/* The writer thread: everything that was given is in the trace, committed in time, and a failure is told. */
#include "recorder/writer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

TestSuite(writer, .timeout = 900);

enum { GIVE_EVENTS = 1000 };

static char folder[64], path[128];

static struct trace_writer *create(void)
{
	struct error error = {0};
	strcpy(folder, "/tmp/hvrec-test-writer-XXXXXX");
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/t.hvrec", folder);
	struct trace_writer *trace = trace_create(path, &error);
	cr_assert(trace, "%s", error.text);
	return trace;
}

static void remove_all(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

static struct event event_at(uint64_t i)
{
	return (struct event){.n = i * 3,
			      .pc = 0x1000 + i % 5 * 4,
			      .address = 0x09000000,
			      .value = i * i % 253,
			      .kind = EVENT_MMIO_WRITE,
			      .size = 1};
}

static void give(struct writer *writer, uint64_t first, uint64_t count)
{
	static struct event events[GIVE_EVENTS];
	while (count > 0) {
		size_t room = writer_room(writer);
		size_t now = count < GIVE_EVENTS ? count : GIVE_EVENTS;
		now = now < room ? now : room;
		for (size_t i = 0; i < now; i++)
			events[i] = event_at(first + i);
		writer_give(writer, events, now);
		first += now;
		count -= now;
	}
}

static void expect_events(uint64_t count)
{
	static struct event events[GIVE_EVENTS];
	struct error error = {0};
	struct trace_reader *reader = trace_open(path, &error);
	cr_assert(reader, "%s", error.text);
	struct trace_cursor *cursor = trace_seek(reader, 0, &error);
	uint64_t at = 0;
	for (int64_t got; (got = trace_next(cursor, events, GIVE_EVENTS, &error)) != 0;) {
		cr_assert_gt(got, 0, "%s", error.text);
		for (int64_t i = 0; i < got; i++, at++) {
			struct event expected = event_at(at);
			cr_assert_eq(memcmp(&events[i], &expected, sizeof(expected)), 0, "event %zu", (size_t)at);
		}
	}
	cr_assert_eq(at, count);
	trace_cursor_free(cursor);
	trace_close(reader);
}

Test(writer, what_was_given_is_in_the_trace)
{
	static const uint64_t counts[] = {0, 1, 999, 8192, 300000};
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct error error = {0};
		struct trace_writer *trace = create();
		struct writer *writer = writer_start(trace, (struct writer_keep){0}, &error);
		cr_assert(writer, "%s", error.text);
		give(writer, 0, counts[i]);
		cr_assert(writer_healthy(writer, &error), "%s", error.text);
		cr_assert(writer_stop(writer, &error), "%s", error.text);
		cr_assert(trace_finish(trace, &error), "%s", error.text);
		trace_writer_free(trace);
		expect_events(counts[i]);
		remove_all();
	}
}

/* At most a second of a recording is lost, whatever happens to its process. */
Test(writer, events_are_committed_within_a_second)
{
	struct error error = {0};
	struct trace_writer *trace = create();
	struct writer *writer = writer_start(trace, (struct writer_keep){0}, &error);
	give(writer, 0, 10);
	nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	expect_events(10);
	give(writer, 10, 5);
	nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	expect_events(15);
	cr_assert(writer_stop(writer, &error));
	trace_writer_free(trace);
	remove_all();
}

Test(writer, a_failure_is_told_and_stays)
{
	struct error error = {0}, again = {0};
	struct trace_writer *trace = create();
	struct writer *writer = writer_start(trace, (struct writer_keep){0}, &error);
	struct event backwards[] = {event_at(5), event_at(4)};
	writer_give(writer, backwards, 2);
	for (int i = 0; i < 100 && writer_healthy(writer, &error); i++)
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	cr_assert_eq(error.status, STATUS_FAILED);
	cr_assert_neq(error.text[0], 0);
	give(writer, 6, 2000);
	cr_assert_not(writer_stop(writer, &again));
	cr_assert_str_eq(again.text, error.text);
	trace_writer_free(trace);
	remove_all();
}

Test(writer, the_room_is_what_was_not_given_yet)
{
	struct error error = {0};
	struct trace_writer *trace = create();
	struct writer *writer = writer_start(trace, (struct writer_keep){0}, &error);
	size_t room = writer_room(writer);
	cr_assert_geq(room, GIVE_EVENTS);
	give(writer, 0, 100);
	cr_assert_leq(writer_room(writer), room);
	cr_assert_geq(writer_room(writer), room - 100);
	cr_assert(writer_stop(writer, &error));
	trace_writer_free(trace);
	remove_all();
}

static struct capture *capture_of(uint64_t next_event, size_t page_count)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	capture->n = 1 + next_event * 3;
	capture->next_event = next_event;
	capture->pages = calloc(page_count, sizeof(*capture->pages));
	capture->bytes = malloc(page_count * TRACE_PAGE_BYTES);
	memset(capture->bytes, (int)next_event, page_count * TRACE_PAGE_BYTES);
	for (size_t i = 0; i < page_count; i++)
		capture->pages[i] = (struct trace_page){i, capture->bytes + i * TRACE_PAGE_BYTES};
	capture->page_count = page_count;
	return capture;
}

static void expect_keyframes(uint64_t count)
{
	struct error error = {0};
	struct trace_keyframe *keyframes = NULL;
	size_t found = 0;
	struct trace_reader *reader = trace_open(path, &error);
	cr_assert(reader, "%s", error.text);
	cr_assert(trace_get_keyframes(reader, &keyframes, &found, &error), "%s", error.text);
	cr_assert_eq(found, count);
	free(keyframes);
	trace_close(reader);
}

/* Its events may come after it, and the recording may end at once. */
Test(writer, keyframes_that_were_given_are_in_the_trace)
{
	struct error error = {0};
	struct trace_writer *trace = create();
	struct writer *writer = writer_start(trace, (struct writer_keep){0}, &error);
	for (uint64_t i = 1; i <= 3; i++) {
		while (!writer_wants_keyframe(writer))
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		writer_give_keyframe(writer, capture_of(i * 5000, 2000));
		cr_assert_not(writer_wants_keyframe(writer));
		give(writer, (i - 1) * 5000, 5000);
	}
	cr_assert(writer_stop(writer, &error), "%s", error.text);
	cr_assert(trace_finish(trace, &error), "%s", error.text);
	trace_writer_free(trace);
	expect_events(15000);
	expect_keyframes(3);
	remove_all();
}

Test(writer, a_keyframe_whose_events_never_come_is_dropped)
{
	struct error error = {0};
	struct trace_writer *trace = create();
	struct writer *writer = writer_start(trace, (struct writer_keep){0}, &error);
	writer_give_keyframe(writer, capture_of(5000, 300));
	give(writer, 0, 4999);
	cr_assert(writer_stop(writer, &error), "%s", error.text);
	cr_assert(trace_finish(trace, &error), "%s", error.text);
	trace_writer_free(trace);
	expect_events(4999);
	expect_keyframes(0);
	remove_all();
}
