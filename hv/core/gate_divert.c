/* The diverted half of the gate: a guest that a debugger has changed runs on without its trace. Values come from the
 * machine as when recording; console input has ended, and idle time takes no time.
 *
 * Its events go the recording's way, and the host drops them but for the console's (replay/run/engine_ring.c).
 *
 * 1. A diversion is thrown away: the host loads a guest of the recording afterwards. So a run may begin with folding
 * and sampling, which a replay must not do at a stop.
 * 2. Timers are sampled first because the host may have changed their registers.
 * 3. What is outside of struct guest_state is left as a replay needs it: the virtual timer's interrupt and the virtual
 *    GIC's maintenance interrupt reach EL2 only between the begin and the end of a run. */
#include "hv/board/board.h"
#include "hv/core/gate_half.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"
#include "hv/core/schedule.h"
#include "hv/core/timers.h"

static bool hang_seen;

void divert_run_begin(void)
{
	hang_seen = false;
	record_forget();
	interrupts_fold();
	timers_sample();
	board_interrupts_set(BOARD_ALL);
}

void divert_run_end(void)
{
	board_interrupts_set(BOARD_ALARM_AND_HOST);
}

ns_t divert_idle(ns_t deadline)
{
	if (schedule_spin_jump().v != 0)
		return record_idle(deadline);
	hang_seen = deadline.v == UINT64_MAX;
	return (ns_t){hang_seen ? 0 : deadline.v - hv_now().v};
}

bool divert_end_due(uint32_t *reason)
{
	if (hang_seen)
		*reason = END_REASON_HANG;
	return hang_seen || hv.guest.n >= hv.until_n || hv.mailbox->interrupt;
}

insn_t divert_next_stop(insn_t deadline, insn_t alarm)
{
	(void)alarm;
	insn_t turn = schedule_deadline();
	uint64_t stop = turn.v < deadline.v ? turn.v : deadline.v;
	return (insn_t){stop < hv.until_n ? stop : hv.until_n};
}
