/* Going to where the console shows a text. */
#include "replay/debugger/monitor_session.h"

#include <string.h>

/* Whether the `length` bytes printed up to event `index`, which printed one, are `text`. */
static bool ends_here(struct monitor *monitor, uint64_t index, const char *text, size_t length, struct error *error)
{
	uint8_t byte;
	for (;; index--) {
		int printed = monitor_console_byte(monitor, index, &byte, error);
		if (printed < 0 || (printed == 1 && byte != (uint8_t)text[length - 1]))
			return false;
		if (printed == 1 && --length == 0)
			return true;
		if (index == events_first(engine_events(timeline_engine(monitor->timeline))))
			return false;
	}
}

/* The write of the last byte of `text` whose effect is next after `here_n`, or last before it. events_count: there is
 * none, or the trace is damaged. */
static uint64_t find(struct monitor *monitor, const char *text, bool forwards, uint64_t here_n, struct error *error)
{
	struct events *events = engine_events(timeline_engine(monitor->timeline));
	uint64_t count = events_count(events);
	size_t length = strlen(text);
	uint64_t index = events_find(events, forwards || here_n == 0 ? here_n : here_n - 1, error);
	while (forwards ? index < count : index > events_first(events)) {
		uint64_t at = forwards ? index : index - 1;
		uint8_t byte;
		int printed = monitor_console_byte(monitor, at, &byte, error);
		if (printed < 0)
			return count;
		if (printed == 1 && byte == (uint8_t)text[length - 1] && ends_here(monitor, at, text, length, error))
			return at;
		index = forwards ? index + 1 : index - 1;
	}
	return count;
}

bool monitor_console_go(struct monitor *monitor, const char *text, bool forwards)
{
	struct error error = {.status = STATUS_OK};
	struct events *events = engine_events(timeline_engine(monitor->timeline));
	uint64_t index = find(monitor, text, forwards, timeline_n(monitor->timeline), &error);
	const struct event *event =
		index < events_count(events) && error.status == STATUS_OK ? events_get(events, index, &error) : NULL;
	if (error.status != STATUS_OK)
		return monitor_fail(monitor, "%s\n", error.text);
	if (!event)
		return monitor_fail(monitor, "the guest does not print \"%s\" %s here\n", text,
				    forwards ? "after" : "before");
	return monitor_place_go_when(monitor, event->n + 1);
}
