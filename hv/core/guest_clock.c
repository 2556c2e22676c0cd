/* Guest time is N and what the guest was idle, so all of this is a function of the position. */
#include "hv/core/guest_clock.h"
#include "hv/arch/arch.h"
#include "hv/board/board.h"
#include "hv/core/hv.h"

static uint64_t start_ticks;

/* After machine version 1, whose guests saw the counters begin at 0. */
void guest_clock_init(void)
{
	start_ticks = hv.boot->machine_version > 1 ? GUEST_COUNTER_START : 0;
}

uint64_t guest_clock_ticks(void)
{
	return start_ticks + hv_now().v / GUEST_NS_PER_TICK;
}

ns_t guest_clock_ns(void)
{
	return (ns_t){start_ticks * GUEST_NS_PER_TICK + hv_now().v};
}

ns_t guest_clock_at(uint64_t ticks)
{
	uint64_t since = ticks - start_ticks;
	return (ns_t){since > UINT64_MAX / GUEST_NS_PER_TICK ? UINT64_MAX : since * GUEST_NS_PER_TICK};
}

uint64_t guest_clock_rtc_s(void)
{
	return hv.boot->rtc_base_s + hv_now().v / NS_PER_S;
}

void guest_clock_jumped(void)
{
	uint64_t until = machine_clock_lead(guest_clock_ticks());
	if (until != 0)
		board_clock_jump(until);
}

bool guest_clock_timer_armed(uint64_t ctl)
{
	return (ctl & (TIMER_CTL_ENABLE | TIMER_CTL_IMASK)) == TIMER_CTL_ENABLE;
}

bool guest_clock_timer_line(uint64_t ctl, uint64_t cval)
{
	return guest_clock_timer_armed(ctl) && cval <= guest_clock_ticks();
}
