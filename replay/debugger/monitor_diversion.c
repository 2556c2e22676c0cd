/* The commands in a diversion (replay/travel/diversion.h): where it is, and the way back. */
#include "replay/debugger/monitor_session.h"
#include "replay/travel/diversion.h"

#include <inttypes.h>

bool monitor_diversion_when(struct monitor *monitor)
{
	const struct guest_state *state = timeline_state(monitor->timeline);
	diversion_tell(monitor->timeline); /* this does */
	uint64_t now_ns = state->n + state->idle_ns;
	monitor_print(monitor,
		      "diversion from %" PRIu64 ": instruction %" PRIu64 ", guest time %" PRIu64 ".%09" PRIu64
		      " s, vcpu %u, pc %#" PRIx64 "\n",
		      diversion_origin(monitor->timeline).n, state->n, now_ns / NS_PER_S, now_ns % NS_PER_S,
		      timeline_vcpu_index(monitor->timeline), timeline_vcpu(monitor->timeline)->pc);
	return true;
}

bool monitor_diversion_leave(struct monitor *monitor)
{
	struct error error = {.status = STATUS_OK};
	if (!diversion_is_on(monitor->timeline))
		return true;
	if (!diversion_leave(monitor->timeline, &error))
		return monitor_fail(monitor, "%s\n", error.text);
	monitor_print(monitor, "back to the recording, instruction %" PRIu64 "\n", timeline_n(monitor->timeline));
	return true;
}

bool monitor_diversion_begin(struct monitor *monitor, const char *argument)
{
	if (*argument)
		return monitor_fail(monitor, "divert takes no argument\n");
	diversion_begin(monitor->timeline);
	return monitor_diversion_when(monitor);
}

bool monitor_diversion_back(struct monitor *monitor, const char *argument)
{
	if (*argument)
		return monitor_fail(monitor, "back-to-replay takes no argument\n");
	if (!diversion_is_on(monitor->timeline))
		return monitor_fail(monitor, "this is the recording already\n");
	return monitor_diversion_leave(monitor);
}
