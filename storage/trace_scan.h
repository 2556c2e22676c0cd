/* Events one by one, each with its index and guest time: what readers that look at every event build upon. */
#pragma once
#include "storage/trace.h"

enum { TRACE_SCAN_EVENTS = 256 };

struct trace_scan {
	struct trace_cursor *cursor;
	uint64_t index;         /* of the current event in the trace */
	uint64_t idle_ns;       /* guest idle time before it */
	size_t at, event_count; /* the current event is events[at], if at < event_count */
	struct event events[TRACE_SCAN_EVENTS];
};

/* Begins before the cursor's next event. The cursor becomes the scan's; trace_scan_end frees it. */
void trace_scan_start(struct trace_scan *scan, struct trace_cursor *cursor);
void trace_scan_end(struct trace_scan *scan);

/* Goes to the next event. TRACE_ABSENT: there is none. TRACE_FAILED: the trace is damaged there, error set. */
enum trace_found trace_scan_next(struct trace_scan *scan, struct error *error);

/* The current event, after TRACE_FOUND; valid until the next call. Cannot fail. */
static inline const struct event *trace_scan_event(const struct trace_scan *scan)
{
	return &scan->events[scan->at];
}

/* Its guest time in ns. Cannot fail. */
static inline uint64_t trace_scan_time_ns(const struct trace_scan *scan)
{
	return trace_scan_event(scan)->n + scan->idle_ns;
}
