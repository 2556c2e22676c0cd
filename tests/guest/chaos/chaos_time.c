/* Timers, counters, the PMU, and waiting. A virtual deadline is never set below 0: docs/LIMITS.md says what QEMU makes
 * of CVAL near 2^64. */
#include "tests/guest/chaos/chaos.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/psci.h"
#include "tests/guest/lib/timer.h"

enum { FAR_TICKS = 40000, POLL_TICKS = 300, SLEEP_TICKS = 60000 };

/* Ticks from now: in the past, at once, near or far. */
static int64_t distance(void)
{
	switch (chaos_pick(4)) {
	case 0:
		return -(int64_t)chaos_pick(100);
	case 1:
		return (int64_t)chaos_pick(4);
	case 2:
		return (int64_t)chaos_pick(200);
	default:
		return (int64_t)chaos_pick(FAR_TICKS);
	}
}

void chaos_vtimer_set(void)
{
	if (chaos_pick(2) == 0)
		SYSREG_WRITE(cntv_tval_el0, distance());
	else
		SYSREG_WRITE(cntv_cval_el0, SYSREG_READ(cntvct_el0) + (uint64_t)distance());
	/* on three times of four: what was due at once comes again at once, and only once in a while */
	SYSREG_WRITE(cntv_ctl_el0, chaos_pick(4) ? TIMER_ENABLE : chaos_pick(4));
	isb(); /* in force */
}

void chaos_ptimer_set(void)
{
	switch (chaos_pick(4)) {
	case 0:
		SYSREG_WRITE(cntp_tval_el0, distance());
		break;
	case 1:
		SYSREG_WRITE(cntp_cval_el0, chaos_random() | UINT64_C(0xff) << 56);
		break;
	default:
		SYSREG_WRITE(cntp_cval_el0, SYSREG_READ(cntpct_el0) + (uint64_t)distance());
		break;
	}
	SYSREG_WRITE(cntp_ctl_el0, chaos_pick(4) ? TIMER_ENABLE : chaos_pick(4));
	isb(); /* in force */
}

void chaos_timers(void)
{
	if (chaos_pick(2) == 0)
		chaos_vtimer_set();
	else
		chaos_ptimer_set();
	chaos_spin(chaos_pick(400));
}

/* How many looks it takes until a masked timer is due. */
void chaos_timer_poll(void)
{
	uint64_t looks = 0;
	if (chaos_pick(2) == 0) {
		SYSREG_WRITE(cntv_ctl_el0, TIMER_ENABLE | TIMER_IMASK);
		SYSREG_WRITE(cntv_tval_el0, chaos_pick(POLL_TICKS));
		while (!(SYSREG_READ(cntv_ctl_el0) & TIMER_ISTATUS) && looks < 1000)
			looks++;
	} else {
		SYSREG_WRITE(cntp_ctl_el0, TIMER_ENABLE | TIMER_IMASK);
		SYSREG_WRITE(cntp_tval_el0, chaos_pick(POLL_TICKS));
		while (!(SYSREG_READ(cntp_ctl_el0) & TIMER_ISTATUS) && looks < 1000)
			looks++;
	}
	chaos_see(looks);
	chaos_see(SYSREG_READ(cntvct_el0));
}

void chaos_counters(void)
{
	for (uint64_t count = chaos_pick(8); count != 0; count--) {
		chaos_see(SYSREG_READ(cntvct_el0));
		chaos_see(SYSREG_READ(cntpct_el0));
		chaos_see(SYSREG_READ(cntv_tval_el0));
		chaos_see(SYSREG_READ(cntv_ctl_el0));
		chaos_see(SYSREG_READ(cntv_cval_el0));
		chaos_see(SYSREG_READ(cntp_tval_el0));
		chaos_see(SYSREG_READ(cntp_ctl_el0));
		chaos_see(SYSREG_READ(isr_el1));
		chaos_spin(chaos_pick(7));
	}
}

/* Something that will wake the guest, whatever moves before this one left. */
static void waker_set(void)
{
	SYSREG_WRITE(icc_pmr_el1, 0xff);
	SYSREG_WRITE(icc_igrpen1_el1, 1);
	gic_enable(TIMER_INTID_VIRTUAL);
	gic_set_priority(TIMER_INTID_VIRTUAL, GIC_PRIORITY_DEFAULT);
	SYSREG_WRITE(cntv_tval_el0, chaos_pick(SLEEP_TICKS));
	SYSREG_WRITE(cntv_ctl_el0, TIMER_ENABLE);
	isb(); /* in force */
}

static void wait_once(void)
{
	switch (chaos_pick(6)) {
	case 0:
		__asm__ volatile("wfe" ::: "memory");
		break;
	case 1:
		__asm__ volatile("sev\n wfe\n yield" ::: "memory");
		break;
	case 2:
		chaos_see((uint64_t)psci_call(UINT64_C(0x84000001), 0, 0, 0));
		break;
	default:
		wfi();
		break;
	}
}

void chaos_wait(void)
{
	irq_mask();
	waker_set();
	if (chaos_pick(2) == 0) {
		wait_once();
		chaos_see(SYSREG_READ(cntvct_el0));
		chaos_see(SYSREG_READ(isr_el1));
		irq_unmask();
	} else {
		irq_unmask();
		chaos_spin(chaos_pick(20));
		irq_mask();
		waker_set(); /* the handler may have switched it off */
		wait_once();
		irq_unmask();
	}
	chaos_see(SYSREG_READ(cntvct_el0));
}

void chaos_pmu(void)
{
	const uint64_t cycle = UINT64_C(1) << 31;
	switch (chaos_pick(7)) {
	case 0:
		SYSREG_WRITE(pmcr_el0, chaos_pick(2) | 1 << 6 | (chaos_pick(8) ? 0 : UINT64_C(4)));
		break;
	case 1:
		SYSREG_WRITE(pmcntenset_el0, cycle);
		break;
	case 2:
		SYSREG_WRITE(pmcntenclr_el0, cycle);
		break;
	case 3:
		SYSREG_WRITE(pmccntr_el0, chaos_random());
		break;
	case 4:
		SYSREG_WRITE(pmccfiltr_el0, chaos_random());
		SYSREG_WRITE(pmselr_el0, chaos_pick(32));
		chaos_see(SYSREG_READ(pmxevtyper_el0));
		break;
	case 5:
		SYSREG_WRITE(pmuserenr_el0, chaos_pick(16));
		break;
	default:
		SYSREG_WRITE(pmovsset_el0, chaos_random());
		chaos_see(SYSREG_READ(pmovsclr_el0));
		SYSREG_WRITE(pmovsclr_el0, chaos_random());
		break;
	}
	for (uint64_t count = chaos_pick(4); count != 0; count--) {
		chaos_see(SYSREG_READ(pmccntr_el0));
		chaos_spin(chaos_pick(5));
	}
	chaos_see(SYSREG_READ(pmcr_el0));
	chaos_see(SYSREG_READ(pmcntenset_el0));
}

void chaos_masked(void)
{
	irq_mask();
	chaos_spin(chaos_pick(300));
	chaos_see(SYSREG_READ(isr_el1));
	irq_unmask();
	chaos_spin(chaos_pick(10));
	__asm__ volatile("msr daifset, #2\n msr daifclr, #2\n msr daifset, #2\n nop\n msr daifclr, #2" ::: "memory");
	chaos_see(SYSREG_READ(daif));
}
