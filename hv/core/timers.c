/* Lines and deadlines of the guest's timers. */
#include "hv/core/timers.h"
#include "hv/arch/arch.h"
#include "hv/core/guest_clock.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"
#include "hv/core/virtio_device.h"
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

/* A vCPU whose turn it is not is folded, and its registers are in struct vcpu_state. */
static void sample_others(void)
{
	for (uint32_t i = 0; i < hv.guest.vcpu_count; i++) {
		const struct vcpu_state *vcpu = &hv.guest.vcpu[i];
		if (i == hv.guest.current || vcpu->power == VCPU_OFF)
			continue;
		vgic_set_level(&hv.guest, i, GUEST_INTID_VTIMER,
			       guest_clock_timer_line(vcpu->cntv_ctl_el0, vcpu->cntv_cval_el0));
		vgic_set_level(&hv.guest, i, GUEST_INTID_PTIMER,
			       guest_clock_timer_line(vcpu->cntp_ctl_el0, vcpu->cntp_cval_el0));
	}
}

void timers_sample(void)
{
	interrupts_sample_vtimer();
	sample_ptimer();
	sample_others();
	pl031_tick(&hv.guest.rtc, guest_clock_rtc_s());
	interrupts_set_level(GUEST_INTID_RTC, pl031_line(&hv.guest.rtc));
}

/* Guest time at which the timer of `intid` has to be looked at: when the counter reaches `cval`, or at once if it came
 * to that in a trap and its line is not up yet; never if the line is up, or beyond 64 bits of ns. */
static uint64_t deadline_of(uint32_t vcpu, uint32_t intid, uint64_t ctl, uint64_t cval)
{
	if (!guest_clock_timer_armed(ctl) || interrupts_level(vcpu, intid))
		return UINT64_MAX;
	return cval <= guest_clock_ticks() ? hv_now().v + 1 : guest_clock_at(cval).v;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t vtimer_deadline(uint32_t i)
{
	const struct vcpu_state *vcpu = &hv.guest.vcpu[i];
	return deadline_of(i, GUEST_INTID_VTIMER, vcpu->cntv_ctl_el0, vcpu->cntv_cval_el0);
}

static uint64_t ptimer_deadline(uint32_t i)
{
	const struct vcpu_state *vcpu = &hv.guest.vcpu[i];
	return deadline_of(i, GUEST_INTID_PTIMER, vcpu->cntp_ctl_el0, vcpu->cntp_cval_el0);
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

/* A timer whose interrupt is not enabled wakes nobody. */
static uint64_t wake_deadline(uint32_t i)
{
	uint64_t deadline = UINT64_MAX;
	if (hv.guest.vcpu[i].power == VCPU_OFF)
		return deadline;
	if (interrupts_enabled(i, GUEST_INTID_VTIMER))
		deadline = vtimer_deadline(i);
	if (interrupts_enabled(i, GUEST_INTID_PTIMER))
		deadline = min_u64(deadline, ptimer_deadline(i));
	return deadline;
}

ns_t timers_idle_deadline(void)
{
	uint64_t deadline = UINT64_MAX;
	arch_vtimer_save(hv_vcpu());
	for (uint32_t i = 0; i < hv.guest.vcpu_count; i++)
		deadline = min_u64(deadline, wake_deadline(i));
	if (interrupts_enabled(0, GUEST_INTID_RTC))
		deadline = min_u64(deadline, rtc_deadline());
	return (ns_t){min_u64(deadline, virtio_device_deadline(true).v)};
}

/* The virtual timer of the vCPU that runs is in hardware; those of the others are hv's. */
static uint64_t others_deadline(void)
{
	uint64_t deadline = UINT64_MAX;
	for (uint32_t i = 0; i < hv.guest.vcpu_count; i++) {
		if (i != hv.guest.current)
			deadline = min_u64(deadline, wake_deadline(i));
	}
	return deadline;
}

insn_t timers_alarm_deadline(void)
{
	has_changed = false;
	uint64_t deadline = min_u64(ptimer_deadline(hv.guest.current), rtc_deadline());
	deadline = min_u64(deadline, others_deadline());
	deadline = min_u64(deadline, virtio_device_deadline(false).v);
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
