/* The console as the events have it: every write of UARTDR is one byte. Lines are counted from where they were counted
 * last, so that what is near is cheap. */
#include "hv/host/event_console.h"
#include "replay/debugger/monitor_session.h"

#include <string.h>

int monitor_console_byte(struct monitor *monitor, uint64_t index, uint8_t *byte, struct error *error)
{
	const struct event *event = monitor_event(monitor, index, error);
	if (!event)
		return -1;
	return (int)event_console_bytes(event, 1, byte);
}

bool monitor_console_lines(struct monitor *monitor, uint64_t event, uint64_t *lines, struct error *error)
{
	struct monitor_kept *kept = monitor->kept;
	uint64_t first = events_first(engine_events(timeline_engine(monitor->timeline)));
	uint8_t byte;
	if (kept->counted_event < first)
		kept->counted_event = first;
	while (kept->counted_event != event) {
		bool on = kept->counted_event < event;
		uint64_t index = on ? kept->counted_event : kept->counted_event - 1;
		int printed = monitor_console_byte(monitor, index, &byte, error);
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
	while (*event > events_first(engine_events(timeline_engine(monitor->timeline)))) {
		int printed = monitor_console_byte(monitor, --*event, &byte, error);
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
