/* The one place that tells gdb of a stop: each turn of a resume ends with a value, which is reported here if gdb wants
 * it. The conditions that only gdb can decide are asked for here. */
#include "replay/debugger/target_state.h"
#include "replay/travel/diversion.h"

static bool is_at(const struct hv_debug_point *point, uint64_t address)
{
	return point->bytes == 0 ? address == point->address : address - point->address < point->bytes;
}

/* Whether gdb wants a stop at a breakpoint or watchpoint, and as which of those that are there. */
static bool is_wanted(const struct replay_target *target, struct target_stop *stop)
{
	for (size_t i = 0; i < target->point_count; i++) {
		if ((stop->reason == TARGET_STOP_WATCHPOINT) != (target->points[i].bytes != 0) ||
		    !is_at(&target->points[i], stop->address.v))
			continue;
		stop->kind = target->kinds[i];
		if (gdbstub_wants_stop(target->stub, stop))
			return true;
	}
	return false;
}

/* Of a step the thread that is stepped, else the one whose turn it is. */
static struct target_stop stop_here(const struct replay_target *target, enum target_reason reason, uint8_t code)
{
	bool is_step = target->running && target->resume.action != TARGET_CONTINUE;
	uint32_t thread = is_step ? target->thread : timeline_vcpu_index(target->timeline);
	return (struct target_stop){.reason = reason, .thread = thread, .code = code};
}

/* The one that comes to it; backwards, right behind an access, the one that made it. */
static uint32_t thread_of_hit(const struct replay_target *target, enum target_reason reason)
{
	bool is_behind = reason == TARGET_STOP_WATCHPOINT && target->resume.reverse;
	return is_behind ? timeline_vcpu_before(target->timeline) : timeline_vcpu_index(target->timeline);
}

/* Ends the resume. */
static void tell(struct replay_target *target, struct target_stop stop)
{
	target->running = false;
	gdbstub_stopped(target->stub, &stop);
}

/* A breakpoint or watchpoint. If its condition is false the resume goes on. */
static void report_hit(struct replay_target *target, enum target_reason reason, uint64_t address)
{
	struct target_stop stop = stop_here(target, reason, 0);
	stop.thread = thread_of_hit(target, reason);
	stop.address.v = address;
	if (is_wanted(target, &stop)) {
		tell(target, stop);
		return;
	}
	target->origin = timeline_place(target->timeline);
	target->pass = true;
}

/* After a step there may be a breakpoint, and a step of a line ends where its code does. */
static void report_step(struct replay_target *target)
{
	uint64_t pc = replay_target_vcpu(target)->pc;
	bool inside = pc >= target->resume.range_start.v && pc < target->resume.range_end.v;
	target->retired = false;
	if (replay_target_is_turn(target) && replay_target_is_breakpoint(target, pc))
		report_hit(target, TARGET_STOP_BREAKPOINT, pc);
	if (target->running && (target->resume.action == TARGET_STEP || !inside))
		tell(target, stop_here(target, TARGET_STOP_STEP, 0));
}

void replay_target_report(struct replay_target *target, struct stop stop)
{
	bool diverted = diversion_is_on(target->timeline);
	if (stop.kind == STOP_NONE)
		return;
	target->skip_access = stop.kind == STOP_WATCHPOINT;
	switch (stop.kind) {
	case STOP_BREAKPOINT:
		report_hit(target, TARGET_STOP_BREAKPOINT, stop.address);
		if (target->running && !target->passing)
			replay_target_pass_begin(target);
		break;
	case STOP_WATCHPOINT:
		report_hit(target, TARGET_STOP_WATCHPOINT, stop.address);
		break;
	case STOP_STEPPED:
		report_step(target);
		break;
	case STOP_BEGIN:
		tell(target, stop_here(target, TARGET_STOP_REPLAYLOG_BEGIN, 0));
		break;
	case STOP_END:
		tell(target, diverted ? stop_here(target, TARGET_STOP_SIGNAL, SIGNAL_TERMINATED)
				      : stop_here(target, TARGET_STOP_REPLAYLOG_END, 0));
		break;
	case STOP_INTERRUPTED:
		tell(target, stop_here(target, TARGET_STOP_SIGNAL, SIGNAL_INTERRUPT));
		break;
	case STOP_NO_ROOM:
		tell(target, stop_here(target, TARGET_STOP_SIGNAL, SIGNAL_TRAP));
		break;
	case STOP_NONE:
	case STOP_FAILED:
	default:
		break;
	}
}

void replay_target_moved(struct replay_target *target)
{
	struct target_stop stop = stop_here(target, TARGET_STOP_SIGNAL, SIGNAL_TRAP);
	gdbstub_stopped(target->stub, &stop);
}
