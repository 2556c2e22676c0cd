/* The window over a trace's events, and the index of keyframes, where a trace is not what it says. */
#include "replay/trace/events.h"
#include "replay/trace/keyframe_index.h"
#include "tests/unit/trace_fixture.h"

TestSuite(events, .init = fixture_setup, .fini = fixture_teardown);

/* What is recorded after a reader was opened is beyond the window's room; at the recording's end it comes in one chunk
 * with what was there before. */
Test(events, a_growing_trace_is_read_up_to_where_it_was)
{
	struct error error = {0};
	struct trace_writer *w = trace_create(path, &error);
	cr_assert(w && fixture_commit(w, 0, 10, &error), "%s", error.text);
	struct trace_reader *r = trace_open(path, &error);
	struct events *events = r ? events_open(r, &error) : NULL;
	cr_assert(events, "%s", error.text);
	cr_assert(fixture_commit(w, 10, 3000, &error) && trace_finish(w, &error), "%s", error.text);
	cr_assert_eq(events_count(events), 10);
	const struct event *event = events_get(events, 9, &error);
	cr_assert(event, "%s", error.text);
	cr_assert_eq(event->n, fixture_event(9).n);
	cr_assert_null(events_get(events, 10, &error));
	cr_assert_eq(events_find(events, UINT64_MAX, &error), 10);
	events_close(events);
	trace_close(r);
	trace_writer_free(w);
}

/* A size that no guest has is no reason to take the memory for it. */
Test(events, an_impossible_ram_size_is_an_error_of_the_keyframes)
{
	static const uint64_t sizes[] = {UINT64_MAX / TRACE_PAGE_BYTES, UINT64_C(1) << 40, (UINT64_C(255) << 18) + 1};
	fixture_record(20, 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct error error = {0};
		struct keyframe_index index;
		struct trace_reader *r = trace_open(path, &error);
		cr_assert(r, "%s", error.text);
		cr_assert_not(keyframe_index_open(&index, r, sizes[i], &error));
		cr_assert(strstr(error.text, "RAM size"), "%s", error.text);
		keyframe_index_close(&index);
		trace_close(r);
	}
}
