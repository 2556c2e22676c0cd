/* The window: up to WINDOW_EVENTS decoded events around the last one that was asked for. */
#include "replay/trace/events.h"

#include <stdlib.h>

enum { WINDOW_EVENTS = 1 << 20, WINDOW_BEFORE = WINDOW_EVENTS / 4 };

struct events {
	struct trace_reader *trace;
	uint64_t total;
	uint64_t first, count; /* of the window */
	struct event *window;
};

struct events *events_open(struct trace_reader *trace, struct error *error)
{
	uint64_t event_count, last_n;
	if (!trace_get_end(trace, &event_count, &last_n, error))
		return NULL;
	struct events *events = calloc(1, sizeof(*events));
	uint64_t room = event_count < WINDOW_EVENTS ? event_count + 1 : WINDOW_EVENTS;
	if (events)
		events->window = malloc(room * sizeof(struct event));
	if (!events || !events->window) {
		free(events);
		error_set(error, STATUS_FAILED, "out of memory");
		return NULL;
	}
	events->trace = trace;
	events->total = event_count;
	return events;
}

void events_close(struct events *events)
{
	if (events)
		free(events->window);
	free(events);
}

uint64_t events_first(const struct events *events)
{
	return trace_first_event(events->trace);
}

uint64_t events_count(const struct events *events)
{
	return events->total;
}

static bool window_move(struct events *events, uint64_t index, struct error *error)
{
	uint64_t first = events_first(events);
	events->first = index - first > WINDOW_BEFORE ? index - WINDOW_BEFORE : first;
	events->count = 0;
	struct trace_cursor *cursor = trace_seek(events->trace, events->first, error);
	int64_t got = cursor ? 1 : -1;
	/* a trace that grows, or whose last row is not its last, has more events than there is room for */
	uint64_t room = events->total - events->first < WINDOW_EVENTS ? events->total - events->first : WINDOW_EVENTS;
	while (got > 0 && events->count < room) {
		got = trace_next(cursor, events->window + events->count, room - events->count, error);
		events->count += got > 0 ? (uint64_t)got : 0;
	}
	trace_cursor_free(cursor);
	return index < events->first + events->count;
}

const struct event *events_get(struct events *events, uint64_t index, struct error *error)
{
	bool inside = index >= events->first && index - events->first < events->count;
	if (index < events_first(events) || index >= events->total || (!inside && !window_move(events, index, error))) {
		error_set(error, STATUS_FAILED, "the trace has no event %llu", (unsigned long long)index);
		return NULL;
	}
	return &events->window[index - events->first];
}

uint64_t events_find(struct events *events, uint64_t n, struct error *error)
{
	uint64_t low = events_first(events), high = events->total;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		const struct event *event = events_get(events, middle, error);
		if (!event)
			return events->total;
		if (event->n < n)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
