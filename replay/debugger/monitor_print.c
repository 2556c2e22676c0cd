/* What every command does: print, fail with a line, and look at events. */
#include "replay/debugger/monitor_session.h"

#include <stdarg.h>
#include <stdio.h>

enum { PRINT_BYTES = ERROR_TEXT_BYTES + 256, EVENTS_PER_TICK = 1024 };

static void print_arguments(const struct monitor *monitor, const char *format, va_list arguments)
{
	char text[PRINT_BYTES];
	int length = vsnprintf(text, sizeof(text), format, arguments);
	if (length > 0)
		gdbstub_print(monitor->stub, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

void monitor_print(const struct monitor *monitor, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	print_arguments(monitor, format, arguments);
	va_end(arguments);
}

bool monitor_fail(const struct monitor *monitor, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	print_arguments(monitor, format, arguments);
	va_end(arguments);
	return false;
}

const struct event *monitor_event(const struct monitor *monitor, uint64_t index, struct error *error)
{
	struct engine *engine = timeline_engine(monitor->timeline);
	if (index % EVENTS_PER_TICK == 0 && engine_interrupted(engine)) {
		error_set(error, STATUS_FAILED, "interrupted");
		return NULL;
	}
	return events_get(engine_events(engine), index, error);
}
