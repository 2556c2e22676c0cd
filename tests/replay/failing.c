/* hvrec with a bug: a CHECK of its recording fails after some events, in the recording loop or in the writer thread
 * (HVREC_TEST_FAIL: "loop" or "writer"). Linked with all of hvrec and --wrap, into build/tests/hvrec_failing. */
#include "hv/error/check.h"
#include "recorder/hints.h"
#include "storage/trace.h"

#include <stdlib.h>
#include <string.h>

enum { EVENTS_GOOD = 20000 };

void __real_hints_see(struct hints *hints, const struct event *events, size_t count);
void __wrap_hints_see(struct hints *hints, const struct event *events, size_t count);
bool __real_trace_append(struct trace_writer *w, const struct event *events, size_t count, struct error *error);
bool __wrap_trace_append(struct trace_writer *w, const struct event *events, size_t count, struct error *error);

static bool fails_in(const char *place)
{
	const char *wanted = getenv("HVREC_TEST_FAIL");
	return wanted && strcmp(wanted, place) == 0;
}

void __wrap_hints_see(struct hints *hints, const struct event *events, size_t count)
{
	static size_t seen;
	seen += count;
	CHECK(seen < EVENTS_GOOD || !fails_in("loop"));
	__real_hints_see(hints, events, count);
}

bool __wrap_trace_append(struct trace_writer *w, const struct event *events, size_t count, struct error *error)
{
	static size_t seen;
	seen += count;
	CHECK(seen < EVENTS_GOOD || !fails_in("writer"));
	return __real_trace_append(w, events, count, error);
}
