/* The console as the events have it: every write of UARTDR is one byte. Lines are counted from where they were counted
 * last, so that what is near is cheap. */
#include "hv/host/event_console.h"
#include "replay/debugger/monitor_session.h"

#include <inttypes.h>
#include <string.h>

/* Whether the event printed a byte. */
static bool console_byte(const struct event *event, uint8_t *byte)
{
	return event_console_bytes(event, 1, byte) == 1;
}

/* 1: the event printed `byte`; 0: it did not; -1: the trace is damaged there. */
static int event_byte(struct monitor *monitor, uint64_t index, uint8_t *byte, struct error *error)
{
	const struct event *event = monitor_event(monitor, index, error);
	if (!event)
		return -1;
	return console_byte(event, byte) ? 1 : 0;
}

bool monitor_console_lines(struct monitor *monitor, uint64_t event, uint64_t *lines, struct error *error)
{
	struct monitor_kept *kept = monitor->kept;
	uint64_t first = events_first(timeline_engine(monitor->timeline)->events);
	uint8_t byte;
	if (kept->counted_event < first)
		kept->counted_event = first;
	while (kept->counted_event != event) {
		bool on = kept->counted_event < event;
		uint64_t index = on ? kept->counted_event : kept->counted_event - 1;
		int printed = event_byte(monitor, index, &byte, error);
		if (printed < 0)
			return false;
		if (printed == 1 && byte == '\n')
			kept->counted_lines = on ? kept->counted_lines + 1 : kept->counted_lines - 1;
		kept->counted_event = on ? index + 1 : index;
	}
	*lines = kept->counted_lines;
	return true;
}

bool monitor_console_text(struct monitor *monitor, uint64_t *event, char *text, size_t bytes, struct error *error)
{
	size_t start = bytes - 1;
	uint8_t byte = 0;
	text[start] = 0;
	while (*event > events_first(timeline_engine(monitor->timeline)->events)) {
		int printed = event_byte(monitor, --*event, &byte, error);
		if (printed < 0)
			return false;
		if (printed == 1 && byte == '\n')
			break;
		if (start > 0 && printed == 1 && byte >= ' ' && byte != 0x7f)
			text[--start] = (char)byte;
	}
	memmove(text, text + start, bytes - start);
	return true;
}

/* Whether the `length` bytes printed up to event `index`, which printed one, are `text`. */
static bool ends_here(struct monitor *monitor, uint64_t index, const char *text, size_t length, struct error *error)
{
	uint8_t byte;
	for (;; index--) {
		int printed = event_byte(monitor, index, &byte, error);
		if (printed < 0 || (printed == 1 && byte != (uint8_t)text[length - 1]))
			return false;
		if (printed == 1 && --length == 0)
			return true;
		if (index == events_first(timeline_engine(monitor->timeline)->events))
			return false;
	}
}

/* The write of the last byte of `text` whose effect is next behind `here_n`, or last before it. events_count: there is
 * none, or the trace is damaged. */
static uint64_t find(struct monitor *monitor, const char *text, bool forwards, uint64_t here_n, struct error *error)
{
	struct events *events = timeline_engine(monitor->timeline)->events;
	uint64_t count = events_count(events);
	size_t length = strlen(text);
	uint64_t index = events_find(events, forwards || here_n == 0 ? here_n : here_n - 1, error);
	while (forwards ? index < count : index > events_first(events)) {
		uint64_t at = forwards ? index : index - 1;
		uint8_t byte;
		int printed = event_byte(monitor, at, &byte, error);
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
	struct events *events = timeline_engine(monitor->timeline)->events;
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
