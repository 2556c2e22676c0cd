/* verify: the whole trace once more, in one run without a stop (a stop at the end would leave the virtual GIC's state
 * folded, which the guest cannot tell but the hash can), every event compared, and the state that it ends in. */
#include "hv/host/session.h"
#include "replay/debugger/monitor_session.h"
#include "replay/run/verify.h"

#include <inttypes.h>

static bool replay_all(struct monitor *monitor, struct error *error)
{
	struct engine *engine = timeline_engine(monitor->timeline);
	if (!timeline_goto(monitor->timeline, timeline_start_n(monitor->timeline), error))
		return false;
	struct stop stop = engine_run(engine, &(struct engine_order){.until_n = UINT64_MAX}, error);
	if (stop.kind == STOP_INTERRUPTED)
		return error_set(error, STATUS_FAILED, "interrupted");
	return stop.kind != STOP_FAILED && verify_final_state(engine, error);
}

bool monitor_verify(struct monitor *monitor, const char *argument)
{
	struct error error = {.status = STATUS_OK};
	struct timeline_place origin = timeline_place(monitor->timeline);
	const struct engine *engine = timeline_engine(monitor->timeline);
	int64_t start_ns = session_now_ns();
	if (*argument)
		return monitor_fail(monitor, "verify takes no argument\n");
	bool agreed = replay_all(monitor, &error);
	if (agreed)
		monitor_print(monitor,
			      "replayed %" PRIu64 " instructions, %" PRIu64 " events in %.1f s, all as recorded; %s\n",
			      timeline_n(monitor->timeline) - timeline_start_n(monitor->timeline),
			      engine_next_event(engine) - events_first(engine_events(engine)),
			      (double)(session_now_ns() - start_ns) / 1e9,
			      trace_is_complete(engine_trace(engine))
				      ? "the final state hash agrees"
				      : "the trace is incomplete and has no final state");
	else
		monitor_print(monitor, "%s\n", error.text);
	return monitor_place_return(monitor, origin) && agreed;
}
