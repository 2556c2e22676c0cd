/* Telling gdb of a stop, if it wants it: the conditions that only gdb can decide are asked for here. */
#include "replay/debugger/target_state.h"

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

void replay_target_stopped(struct replay_target *target, enum target_reason reason, uint64_t address, uint8_t code)
{
	struct target_stop stop = {.reason = reason,
				   .thread = timeline_state(target->timeline)->current,
				   .kind = TARGET_BREAK_SOFTWARE,
				   .address = {address},
				   .code = code};
	bool conditional = reason == TARGET_STOP_BREAKPOINT || reason == TARGET_STOP_WATCHPOINT;
	target->skip_access = reason == TARGET_STOP_WATCHPOINT;
	if (conditional && !is_wanted(target, &stop)) {
		target->origin = timeline_place(target->timeline);
		target->pass = true;
		return; /* its condition is false: run on */
	}
	target->running = false;
	gdbstub_stopped(target->stub, &stop);
}

void replay_target_stopped_elsewhere(struct replay_target *target)
{
	struct target_stop stop = {
		.reason = TARGET_STOP_SIGNAL, .thread = timeline_state(target->timeline)->current, .code = SIGNAL_TRAP};
	gdbstub_stopped(target->stub, &stop);
}
