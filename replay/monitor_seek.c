/* seek, back and forward: from what a user names to a position. */
#include "replay/monitor_parse.h"
#include "replay/monitor_session.h"

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
static bool time_position(struct monitor *monitor, uint64_t time_ns, uint64_t *n, struct error *error)
{
	const struct engine *engine = timeline_engine(monitor->timeline);
	uint64_t low = events_first(engine->events), high = events_count(engine->events), event_ns;
	struct event event = {.n = 0};
	*n = time_ns;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (!event_at(engine->trace, middle, &event, &event_ns, error))
			return false;
		if (event_ns <= time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == events_first(engine->events))
		return true;
	if (!event_at(engine->trace, low - 1, &event, &event_ns, error))
		return false;
	uint64_t passed_ns = time_ns - event_ns;
	uint64_t jump_ns = event.kind == EVENT_IDLE ? event.value : 0;
	*n = event.n + (passed_ns > jump_ns ? passed_ns - jump_ns : 0);
	return true;
}

static bool seek_time(struct monitor *monitor, const char *text)
{
	struct error error = {.status = STATUS_OK};
	uint64_t time_ns, n, end = timeline_end_n(monitor->timeline);
	if (!monitor_parse_billionths(text, &time_ns))
		return monitor_fail(monitor, "seek time takes seconds of guest time, such as 1.25\n");
	if (!time_position(monitor, time_ns, &n, &error))
		return monitor_fail(monitor, "%s\n", error.text);
	if (n > end)
		return monitor_fail(monitor, "the recording ends before guest time %s s\n", text);
	return monitor_place_go_when(monitor, n);
}

static bool seek_event(struct monitor *monitor, const char *text)
{
	struct error error = {.status = STATUS_OK};
	struct events *events = timeline_engine(monitor->timeline)->events;
	uint64_t index;
	if (!monitor_parse_number(text, &index))
		return monitor_fail(monitor, "seek event takes the number of an event\n");
	if (index < events_first(events) || index >= events_count(events))
		return monitor_fail(monitor, "the trace has %" PRIu64 " events, counted from 0\n",
				    events_count(events));
	const struct event *event = events_get(events, index, &error);
	if (!event)
		return monitor_fail(monitor, "%s\n", error.text);
	return monitor_place_go_when(monitor, event->n);
}

bool monitor_seek(struct monitor *monitor, const char *argument)
{
	uint64_t end = timeline_end_n(monitor->timeline), n;
	const char *rest;
	double ratio;
	if (strcmp(argument, "start") == 0)
		return monitor_place_go_when(monitor, 0);
	if (strcmp(argument, "end") == 0)
		return monitor_place_go_when(monitor, end);
	if ((rest = monitor_parse_word(argument, "event")) != NULL)
		return seek_event(monitor, rest);
	if ((rest = monitor_parse_word(argument, "time")) != NULL)
		return seek_time(monitor, rest);
	if (monitor_parse_percent(argument, &ratio))
		return monitor_place_go_when(monitor, (uint64_t)((double)end * ratio));
	if (!monitor_parse_count(argument, &n))
		return monitor_fail(monitor, "seek where? N, event K, time SECONDS, PERCENT%%, start or end\n");
	if (n > end)
		return monitor_fail(monitor, "the recording ends at instruction %" PRIu64 "\n", end);
	return monitor_place_go_when(monitor, n);
}

static bool distance(struct monitor *monitor, const char *argument, uint64_t *count)
{
	*count = 1;
	return *argument == 0 || monitor_parse_count(argument, count) ||
	       monitor_fail(monitor, "%s is not a number of instructions, such as 1500000 or 2G\n", argument);
}

bool monitor_seek_back(struct monitor *monitor, const char *argument)
{
	uint64_t n = timeline_n(monitor->timeline), count;
	return distance(monitor, argument, &count) && monitor_place_go_when(monitor, count < n ? n - count : 0);
}

bool monitor_seek_forward(struct monitor *monitor, const char *argument)
{
	uint64_t n = timeline_n(monitor->timeline), left = timeline_end_n(monitor->timeline) - n, count;
	return distance(monitor, argument, &count) && monitor_place_go_when(monitor, n + (count < left ? count : left));
}
