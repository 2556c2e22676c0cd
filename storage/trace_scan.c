/* The scan: batches from a cursor. Where a batch begins, the cursor knows index and idle time; inside it they are
 * counted on. */
#include "storage/trace_scan.h"

void trace_scan_start(struct trace_scan *scan, struct trace_cursor *cursor)
{
	*scan = (struct trace_scan){.cursor = cursor};
}

void trace_scan_end(struct trace_scan *scan)
{
	trace_cursor_free(scan->cursor);
	*scan = (struct trace_scan){0};
}

static enum trace_found refill(struct trace_scan *scan, struct error *error)
{
	scan->index = trace_cursor_index(scan->cursor);
	scan->idle_ns = trace_cursor_idle_ns(scan->cursor);
	scan->at = 0;
	int64_t got = trace_next(scan->cursor, scan->events, TRACE_SCAN_EVENTS, error);
	scan->event_count = got > 0 ? (size_t)got : 0;
	return got < 0 ? TRACE_FAILED : got > 0 ? TRACE_FOUND : TRACE_ABSENT;
}

enum trace_found trace_scan_next(struct trace_scan *scan, struct error *error)
{
	if (scan->at < scan->event_count) {
		const struct event *event = trace_scan_event(scan);
		scan->idle_ns += event->kind == EVENT_IDLE ? event->value : 0;
		scan->index++;
		scan->at++;
	}
	return scan->at < scan->event_count ? TRACE_FOUND : refill(scan, error);
}
