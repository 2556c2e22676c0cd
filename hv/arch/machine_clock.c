/* The machine's clock, of which the guest must see nothing.
 *
 * 1. CNTVOFF_EL2, how far the machine's clock is ahead of the guest's counter, has the sign that the machine can bear
 *    (machine_clock_init finds out which). The guest programs its virtual timer without a trap, and QEMU works with the
 *    sum of CVAL and CNTVOFF. Since 8.2 a sum past 2^64 never fires, so CNTVOFF must not be negative: the machine's
 *    clock jumps far ahead at the start. Before 8.2 a sum that wraps below the present makes QEMU loop for ever, so
 *    CNTVOFF must not be positive, or a guest that sets its timer to the end of time is lost: its counter begins at
 *    GUEST_COUNTER_START, and hv may use up so much of the machine's time, and all time that the guest was idle.
 * 2. While hv waits, the machine's clock jumps to QEMU's next timer, which is the next overflow of any counter: with
 *    counter 1 at up to 2^32 ns from now, each wait would use up seconds. So it is about to overflow when hv waits.
 * Facts about QEMU's counters: docs/CLOCK.md. */
#include "hv/arch/machine_clock.h"
#include "hv/arch/arch.h"
#include "hv/arch/sysreg.h"

enum { BIAS_CANDIDATES = 48, BIAS_SAMPLES = 400 };

#define WAIT_NS     UINT32_C(1000) /* more than the way from machine_clock_before_wait to the WFI */
#define PROBE_TICKS UINT64_C(100)
#define LEAD_TICKS  (UINT64_C(1) << 52) /* 2.3 years: idle time seldom comes so far, and the end of time is not near */

static bool lead_needed;
static uint32_t add_loses;            /* ns that counter 1 does not count while counter_add changes it */
static uint32_t here;                 /* the CPU that hv runs on */
static uint64_t bias[GUEST_VCPU_MAX]; /* by CPU: their counters started one after the other */

void machine_clock_arrive(uint32_t cpu)
{
	here = cpu;
}

uint64_t machine_clock_bias(void)
{
	return bias[here];
}

/* CNTPCT_EL0 * 16 = counter 1 + bias modulo 2^32: samples at all places within a tick leave one bias that explains
 * them. */
static uint32_t bias_find(void)
{
	bool possible[BIAS_CANDIDATES];
	uint64_t base = (READ_SYSREG(cntpct_el0) * GUEST_NS_PER_TICK - READ_SYSREG(pmevcntr1_el0)) & ~UINT64_C(15);
	uint32_t found = 0;
	for (uint64_t i = 0; i < BIAS_CANDIDATES; i++)
		possible[i] = true;
	for (uint32_t sample = 0; sample < BIAS_SAMPLES; sample++) {
		uint64_t count, ticks;
		for (uint32_t wait = (sample * 7) & 31; wait != 0; wait--)
			__asm__ volatile("nop"); /* another place within the tick */
		__asm__ volatile("mrs %0, pmevcntr1_el0\n mrs %1, cntpct_el0" : "=r"(count), "=r"(ticks));
		for (uint64_t i = 0; i < BIAS_CANDIDATES; i++)
			possible[i] &= (uint32_t)(count + 1 + base - 16 + i) / GUEST_NS_PER_TICK ==
				       (uint32_t)ticks % (UINT32_C(1) << 28);
	}
	for (uint64_t i = 0; i < BIAS_CANDIDATES; i++) {
		if (possible[i]) {
			bias[here] = base - 16 + i;
			found++;
		}
	}
	return found;
}

static bool machine_is_before(uint64_t ticks)
{
	__asm__ volatile("isb"); /* the clock is read anew */
	return READ_SYSREG(cntpct_el0) < ticks;
}

/* Lets a virtual timer come due with a negative CNTVOFF_EL2. */
static bool negative_offset_fires(void)
{
	uint64_t now = READ_SYSREG(cntpct_el0);
	WRITE_SYSREG(cntvoff_el2, 0 - PROBE_TICKS);
	WRITE_SYSREG(cntv_cval_el0, now + 2 * PROBE_TICKS);
	WRITE_SYSREG(cntv_ctl_el0, CNTV_CTL_ENABLE | CNTV_CTL_IMASK);
	while (machine_is_before(now + 2 * PROBE_TICKS))
		;
	bool fired = READ_SYSREG(cntv_ctl_el0) & CNTV_CTL_ISTATUS;
	WRITE_SYSREG(cntv_ctl_el0, 0);
	WRITE_SYSREG(cntv_cval_el0, 0);
	WRITE_SYSREG(cntvoff_el2, 0);
	return fired;
}

uint64_t machine_clock_lead(uint64_t counter)
{
	return lead_needed && READ_SYSREG(cntpct_el0) < counter ? counter + LEAD_TICKS : 0;
}

static void counter_add(uint32_t ns)
{
	uint64_t count;
	__asm__ volatile("mrs %0, pmevcntr1_el0\n add %0, %0, %1\n msr pmevcntr1_el0, %0"
			 : "=&r"(count)
			 : "r"((uint64_t)ns));
}

void machine_clock_before_wait(void)
{
	uint32_t ns = UINT32_MAX - WAIT_NS - (uint32_t)READ_SYSREG(pmevcntr1_el0);
	counter_add(ns);
	bias[here] -= ns - add_loses;
}

bool machine_clock_init(void)
{
	WRITE_SYSREG(pmevtyper1_el0, PMU_CPU_CYCLES | PMEVTYPER_NSH); /* every level: the machine's ns */
	WRITE_SYSREG(pmevcntr1_el0, 0);
	WRITE_SYSREG(pmcntenset_el0, PMU_COUNTER1);
	__asm__ volatile("isb"); /* counting has begun before the first sample */
	lead_needed = !negative_offset_fires();
	uint32_t found = bias_find();
	uint64_t before = machine_clock_bias();
	counter_add(0);
	uint32_t found_again = bias_find();
	add_loses = (uint32_t)(machine_clock_bias() - before);
	return READ_SYSREG(cntfrq_el0) == GUEST_COUNTER_HZ && found == 1 && found_again == 1;
}
