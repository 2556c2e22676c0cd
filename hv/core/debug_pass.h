/* Going on over one of the debugger's breakpoints or watchpoints as if it were not there: because its condition is
 * false, or because hits are only to be counted. It costs the guest's exit and the next one, but no stop.
 *
 * 1. Over the instruction at the hit's position the breakpoint, or every watchpoint, is out of the CPU; an alarm
 *    after it brings them back. The guest sees none of it (no software step, whose PSTATE.SS an exception would save).
 * 2. Only where that is sure not to change the guest (I8) or to miss anything; elsewhere the host goes on from the hit
 *    in its own, slower way (replay/travel/search.c). */
#pragma once
#include "hv/abi/mailbox.h"
#include "hv/abi/types.h"
#include <stdbool.h>

/* The hit of this exit, with the fits of each point: bit i is set if debug_points[i] may be what was hit. */
struct debug_pass_hit {
	bool is_watchpoint;
	uint64_t address;
	uint32_t points;
};

/* Whether the guest goes on over the hit, which was logged if no condition says that it is none. Changes nothing if
 * not. */
bool debug_pass_over(const struct debug_pass_hit *hit);

/* Whether the point is out of the CPU. */
bool debug_pass_leaves_out(const volatile struct hv_debug_point *point);

/* Call before each entry. Whether the points have to come back into the CPU. */
bool debug_pass_ends(void);

/* Where the guest has to be stopped for that; UINT64_MAX: nowhere. */
insn_t debug_pass_alarm(void);

/* A new run begins, with nothing left out and an empty log. */
void debug_pass_forget(void);
