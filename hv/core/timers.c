/* Lines and deadlines of the guest's timers. */
#include "hv/core/timers.h"
#include "hv/arch/arch.h"
#include "hv/board/board.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"
#include "hv/dev/pl031.h"

#define CTL_ENABLE   UINT64_C(1)
#define CTL_IMASK    UINT64_C(2)
#define CTL_ISTATUS  UINT64_C(4)
#define CTL_WRITABLE (CTL_ENABLE | CTL_IMASK)

static uint64_t counter_start;

/* Behind machine version 1, whose guests saw the counters begin at 0. */
void timers_init(void)
{
	counter_start = hv.boot->machine_version > 1 ? GUEST_COUNTER_START : 0;
}

uint64_t timers_counter(void)
{
	return counter_start + hv_now().v / GUEST_NS_PER_TICK;
}

ns_t timers_counter_ns(void)
{
	return (ns_t){counter_start * GUEST_NS_PER_TICK + hv_now().v};
}

void timers_jumped(void)
{
	uint64_t until = clock_lead(timers_counter());
	if (until != 0)
		board_clock_jump(until);
}

uint64_t timers_rtc_now_s(void)
{
	return hv.boot->rtc_base_s + hv_now().v / NS_PER_S;
}

static bool has_changed; /* since the deadline was last computed */

void timers_changed(void)
{
	has_changed = true;
}

bool timers_stand(void)
{
	return !has_changed;
}

static bool timer_armed(uint64_t ctl)
{
	return (ctl & (CTL_ENABLE | CTL_IMASK)) == CTL_ENABLE;
}

void timers_sample_vtimer(void)
{
	struct vcpu_state *vcpu = hv_vcpu();
	arch_vtimer_save(vcpu);
	interrupts_set_level(GUEST_INTID_VTIMER,
			     timer_armed(vcpu->cntv_ctl_el0) && vcpu->cntv_cval_el0 <= timers_counter());
}

static void sample_ptimer(void)
{
	const struct vcpu_state *vcpu = hv_vcpu();
	interrupts_set_level(GUEST_INTID_PTIMER,
			     timer_armed(vcpu->cntp_ctl_el0) && vcpu->cntp_cval_el0 <= timers_counter());
}

void timers_sample(void)
{
	timers_sample_vtimer();
	sample_ptimer();
	pl031_tick(&hv.guest.rtc, timers_rtc_now_s());
	interrupts_set_level(GUEST_INTID_RTC, pl031_line(&hv.guest.rtc));
}

/* Guest time at which the timer of `intid` has to be looked at: when the counter reaches `cval`, or at once if it came
 * to that in a trap and its line is not up yet; never if the line is up, or beyond 64 bits of ns. */
static uint64_t deadline_of(uint32_t intid, uint64_t ctl, uint64_t cval)
{
	if (!timer_armed(ctl) || interrupts_level(intid))
		return UINT64_MAX;
	if (cval <= timers_counter())
		return hv_now().v + 1;
	uint64_t ticks = cval - counter_start;
	return ticks > UINT64_MAX / GUEST_NS_PER_TICK ? UINT64_MAX : ticks * GUEST_NS_PER_TICK;
}

static uint64_t rtc_deadline(void)
{
	uint64_t now_s = timers_rtc_now_s();
	uint64_t left_s = pl031_deadline_s(&hv.guest.rtc, now_s);
	if (left_s == UINT64_MAX)
		return UINT64_MAX;
	if (left_s == 0)
		return hv_now().v + 1; /* it came in a trap, and its line is not up yet */
	return (hv_now().v / NS_PER_S + left_s) * NS_PER_S;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

ns_t timers_idle_deadline(void)
{
	struct vcpu_state *vcpu = hv_vcpu();
	uint64_t deadline = UINT64_MAX;
	arch_vtimer_save(vcpu);
	if (interrupts_enabled(GUEST_INTID_VTIMER))
		deadline = deadline_of(GUEST_INTID_VTIMER, vcpu->cntv_ctl_el0, vcpu->cntv_cval_el0);
	if (interrupts_enabled(GUEST_INTID_PTIMER))
		deadline = min_u64(deadline, deadline_of(GUEST_INTID_PTIMER, vcpu->cntp_ctl_el0, vcpu->cntp_cval_el0));
	if (interrupts_enabled(GUEST_INTID_RTC))
		deadline = min_u64(deadline, rtc_deadline());
	return (ns_t){deadline};
}

insn_t timers_alarm_deadline(void)
{
	const struct vcpu_state *vcpu = hv_vcpu();
	has_changed = false;
	uint64_t deadline =
		min_u64(deadline_of(GUEST_INTID_PTIMER, vcpu->cntp_ctl_el0, vcpu->cntp_cval_el0), rtc_deadline());
	if (deadline == UINT64_MAX)
		return (insn_t){UINT64_MAX};
	uint64_t at = deadline - hv.guest.idle_ns;
	return (insn_t){at > hv.guest.n ? at : hv.guest.n + 1};
}

uint64_t timers_cntp_ctl_read(void)
{
	const struct vcpu_state *vcpu = hv_vcpu();
	uint64_t status = vcpu->cntp_ctl_el0 & CTL_ENABLE && vcpu->cntp_cval_el0 <= timers_counter() ? CTL_ISTATUS : 0;
	return vcpu->cntp_ctl_el0 | status;
}

void timers_cntp_ctl_write(uint64_t value)
{
	hv_vcpu()->cntp_ctl_el0 = value & CTL_WRITABLE;
	timers_changed();
	sample_ptimer();
}

void timers_cntp_cval_write(uint64_t value)
{
	hv_vcpu()->cntp_cval_el0 = value;
	timers_changed();
	sample_ptimer();
}
