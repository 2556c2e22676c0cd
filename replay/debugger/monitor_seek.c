/* seek, back and forward. */
#include "replay/debugger/monitor_session.h"
#include "replay/trace/numbers.h"
#include "replay/trace/place.h"

bool monitor_seek(struct monitor *monitor, const char *argument)
{
	const struct engine *engine = timeline_engine(monitor->timeline);
	struct error error = {.status = STATUS_OK};
	uint64_t n;
	if (!place_find(argument, engine_trace(engine), engine_events(engine), &n, &error))
		return monitor_fail(monitor, "%s\n", error.text);
	return monitor_place_go_when(monitor, n);
}

static bool distance(struct monitor *monitor, const char *argument, uint64_t *count)
{
	*count = 1;
	return *argument == 0 || numbers_count(argument, count) ||
	       monitor_fail(monitor, "%s is not a number of instructions, such as 1500000 or 2G\n", argument);
}

bool monitor_seek_back(struct monitor *monitor, const char *argument)
{
	uint64_t n = timeline_n(monitor->timeline), count;
	return distance(monitor, argument, &count) &&
	       monitor_place_go_when(monitor, count < n ? n - count : 0); /* no further than to the start */
}

bool monitor_seek_forward(struct monitor *monitor, const char *argument)
{
	uint64_t n = timeline_n(monitor->timeline), left = timeline_end_n(monitor->timeline) - n, count;
	return distance(monitor, argument, &count) && monitor_place_go_when(monitor, n + (count < left ? count : left));
}
