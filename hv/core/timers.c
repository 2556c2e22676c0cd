/* Lines and deadlines of the guest's timers. */
#include "hv/core/timers.h"
#include "hv/arch/arch.h"
#include "hv/core/guest_clock.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"
#include "hv/dev/pl031.h"

#define CTL_WRITABLE (TIMER_CTL_ENABLE | TIMER_CTL_IMASK)

static bool has_changed; /* since the deadline was last computed */

void timers_changed(void)
{
	has_changed = true;
}

bool timers_stand(void)
{
	return !has_changed;
}

static void sample_ptimer(void)
{
	const struct vcpu_state *vcpu = hv_vcpu();
	interrupts_set_level(GUEST_INTID_PTIMER, guest_clock_timer_line(vcpu->cntp_ctl_el0, vcpu->cntp_cval_el0));
}

void timers_sample(void)
{
	interrupts_sample_vtimer();
	sample_ptimer();
	pl031_tick(&hv.guest.rtc, guest_clock_rtc_s());
	interrupts_set_level(GUEST_INTID_RTC, pl031_line(&hv.guest.rtc));
}

/* Guest time at which the timer of `intid` has to be looked at: when the counter reaches `cval`, or at once if it came
 * to that in a trap and its line is not up yet; never if the line is up, or beyond 64 bits of ns. */
static uint64_t deadline_of(uint32_t intid, uint64_t ctl, uint64_t cval)
{
	if (!guest_clock_timer_armed(ctl) || interrupts_level(intid))
		return UINT64_MAX;
	return cval <= guest_clock_ticks() ? hv_now().v + 1 : guest_clock_at(cval).v;
}

static uint64_t rtc_deadline(void)
{
	uint64_t now_s = guest_clock_rtc_s();
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
	uint64_t status = vcpu->cntp_ctl_el0 & TIMER_CTL_ENABLE && vcpu->cntp_cval_el0 <= guest_clock_ticks()
				  ? TIMER_CTL_ISTATUS
				  : 0;
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
