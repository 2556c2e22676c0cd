/* verify: the whole trace once more, in one run without a stop (a stop at the end would leave the virtual GIC's state
 * folded, which the guest cannot tell but the hash can), every event compared, and the state that it ends in. */
#include "hv/host/session.h"
#include "hv/host/state_hash.h"
#include "replay/monitor_session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool final_state_agrees(const struct engine *engine, struct error *error)
{
	char hash[STATE_HASH_TEXT_BYTES], *recorded = NULL;
	if (!trace_is_complete(engine->trace))
		return true;
	if (engine->machine->mailbox->end_reason == 0)
		return error_set(error, STATUS_DIVERGED, "divergence: the guest does not end where the recording does");
	if (!state_hash(engine->machine, engine_state(engine), hash))
		return error_set(error, STATUS_FAILED, "out of memory");
	bool same = trace_get_text(engine->trace, "final_state_hash", &recorded, error) == TRACE_FOUND &&
		    strcmp(recorded, hash) == 0;
	free(recorded);
	return same || error_set(error, STATUS_DIVERGED,
				 "divergence: every event agreed, but the final state hash is %s and was another in "
				 "the recording",
				 hash);
}

static bool replay_all(struct monitor *monitor, struct error *error)
{
	struct engine *engine = timeline_engine(monitor->timeline);
	uint64_t address;
	if (!timeline_goto(monitor->timeline, 0, error))
		return false;
	enum engine_stop stop = engine_run(engine, UINT64_MAX, NULL, 0, &address, error);
	if (stop == ENGINE_INTERRUPTED)
		return error_set(error, STATUS_FAILED, "interrupted");
	return stop != ENGINE_FAILED && final_state_agrees(engine, error);
}

bool monitor_verify(struct monitor *monitor, const char *argument)
{
	struct error error = {.status = STATUS_OK};
	uint64_t origin_n = timeline_n(monitor->timeline);
	const struct engine *engine = timeline_engine(monitor->timeline);
	int64_t start_ns = session_now_ns();
	if (*argument)
		return monitor_fail(monitor, "verify takes no argument\n");
	bool agreed = replay_all(monitor, &error);
	if (agreed)
		monitor_print(monitor,
			      "replayed %" PRIu64 " instructions, %" PRIu64 " events in %.1f s, all as recorded; %s\n",
			      timeline_n(monitor->timeline), engine_next_event(engine),
			      (double)(session_now_ns() - start_ns) / 1e9,
			      trace_is_complete(engine->trace) ? "the final state hash agrees"
							       : "the trace is incomplete and has no final state");
	else
		monitor_print(monitor, "%s\n", error.text);
	return monitor_place_go(monitor, origin_n) && agreed;
}
