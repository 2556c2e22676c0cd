/* From what a user names to a position. */
#include "replay/trace/place.h"
#include "hv/abi/event_info.h"
#include "replay/trace/numbers.h"
#include "replay/trace/words.h"

#include <inttypes.h>
#include <string.h>

/* One event, and the guest time right before it. False: the trace is damaged there, error set. */
static bool event_at(struct trace_reader *trace, uint64_t index, struct event *event, uint64_t *time_ns,
		     struct error *error)
{
	struct trace_cursor *cursor = trace_seek(trace, index, error);
	uint64_t idle_ns = cursor ? trace_cursor_idle_ns(cursor) : 0;
	bool got = cursor && trace_next(cursor, event, 1, error) == 1;
	*time_ns = event->n + idle_ns;
	trace_cursor_free(cursor);
	return got || error_set(error, STATUS_FAILED, "the trace has no event %" PRIu64, index);
}

/* The position at guest time `time_ns`: between events guest time passes with instructions, at an IDLE it jumps. */
static bool time_position(struct trace_reader *trace, const struct events *events, uint64_t time_ns, uint64_t *n,
			  struct error *error)
{
	uint64_t low = events_first(events), high = events_count(events), event_ns;
	struct event event = {.n = 0};
	*n = time_ns;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (!event_at(trace, middle, &event, &event_ns, error))
			return false;
		if (event_ns <= time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == events_first(events))
		return true;
	if (!event_at(trace, low - 1, &event, &event_ns, error))
		return false;
	uint64_t passed_ns = time_ns - event_ns;
	uint64_t jump_ns = event_idle_ns(&event);
	*n = event.n + (passed_ns > jump_ns ? passed_ns - jump_ns : 0);
	return true;
}

static bool find_time(const char *text, struct trace_reader *trace, struct events *events, uint64_t *n,
		      struct error *error)
{
	uint64_t time_ns, end;
	if (!numbers_billionths(text, &time_ns))
		return error_set(error, STATUS_FAILED, "time takes seconds of guest time, such as 1.25");
	if (!time_position(trace, events, time_ns, n, error) || !place_end(events, &end, error))
		return false;
	return *n <= end || error_set(error, STATUS_FAILED, "the recording ends before guest time %s s", text);
}

static bool find_event(const char *text, struct events *events, uint64_t *n, struct error *error)
{
	uint64_t index;
	if (!numbers_value(text, &index))
		return error_set(error, STATUS_FAILED, "event takes the number of an event");
	if (index < events_first(events) || index >= events_count(events))
		return error_set(error, STATUS_FAILED, "the trace has events %" PRIu64 " to %" PRIu64,
				 events_first(events), events_count(events) - 1);
	const struct event *event = events_get(events, index, error);
	*n = event ? event->n : 0;
	return event != NULL;
}

bool place_end(struct events *events, uint64_t *n, struct error *error)
{
	uint64_t count = events_count(events);
	const struct event *last = count > events_first(events) ? events_get(events, count - 1, error) : NULL;
	*n = last ? last->n : 0;
	return error->status == STATUS_OK;
}

bool place_find(const char *text, struct trace_reader *trace, struct events *events, uint64_t *n, struct error *error)
{
	uint64_t start = trace_start_n(trace), end;
	const char *rest;
	double ratio;
	if (!place_end(events, &end, error))
		return false;
	if ((rest = words_after(text, "event")) != NULL)
		return find_event(rest, events, n, error);
	if ((rest = words_after(text, "time")) != NULL)
		return find_time(rest, trace, events, n, error);
	if (strcmp(text, "start") == 0)
		*n = start;
	else if (strcmp(text, "end") == 0)
		*n = end;
	else if (numbers_percent(text, &ratio))
		*n = start + (uint64_t)((double)(end - start) * ratio);
	else if (!numbers_count(text, n))
		return error_set(error, STATUS_FAILED,
				 "'%s' is no place: N, event K, time SECONDS, PERCENT%%, start or end", text);
	if (*n > end)
		return error_set(error, STATUS_FAILED, "the recording ends at instruction %" PRIu64, end);
	return *n >= start || error_set(error, STATUS_FAILED, "the trace starts at instruction %" PRIu64, start);
}

/* A stop at a position comes with its notes, and with an asynchronous exit that is the first there. */
static bool is_before_place(const struct event *event, bool is_first)
{
	enum event_class class = event_info(event->kind)->class;
	return event->kind != EVENT_IDLE && (class == EVENT_CLASS_NOTE || (event->kind == EVENT_EXIT && is_first));
}

bool place_next_event(struct events *events, uint64_t n, uint64_t *next, struct error *error)
{
	uint64_t first = events_find(events, n, error), end;
	*next = first;
	if (!place_end(events, &end, error))
		return false;
	if (n >= end)
		*next = events_count(events);
	while (*next < events_count(events)) {
		const struct event *event = events_get(events, *next, error);
		if (!event)
			return false;
		if (event->n != n || !is_before_place(event, *next == first))
			break;
		++*next;
	}
	return error->status == STATUS_OK;
}
