/* The instruction clock on PMCCNTR_EL0, which counts the guest's instructions only, and exact guest time.
 *
 * 1. N = anchor_n + (PMCCNTR_EL0 - anchor_count); clock_adjust moves the anchor, the counter runs on.
 * 2. An alarm presets the counter to -distance; its overflow is the interrupt. Without an alarm it starts at 0, 2^64
 *    instructions away from overflow.
 * 3. The counter stands still at EL2, so every read between exit and entry gives the same N.
 * 4. Each CPU has a counter; it counts exactly while all others sleep (hv/arch/cpus.c).
 * Facts about QEMU's counters: docs/CLOCK.md. */
#include "hv/arch/clock.h"
#include "hv/arch/arch.h"
#include "hv/arch/machine_clock.h"
#include "hv/arch/panic.h"
#include "hv/arch/sysreg.h"

static uint64_t anchor_n, anchor_count;

uint32_t world_enter(struct vcpu_state *vcpu, uint64_t guest_ns, uint64_t bias);

enum arch_exit arch_enter(struct vcpu_state *vcpu, ns_t counter)
{
	return (enum arch_exit)world_enter(vcpu, counter.v, machine_clock_bias());
}

insn_t clock_now(void)
{
	return (insn_t){anchor_n + (READ_SYSREG(pmccntr_el0) - anchor_count)};
}

void clock_adjust(uint64_t delta)
{
	anchor_n += delta;
}

insn_t clock_alarm(void)
{
	return (insn_t){anchor_count == 0 ? UINT64_MAX : anchor_n - anchor_count};
}

static void counter_preset(uint64_t count)
{
	insn_t now = clock_now();
	WRITE_SYSREG(pmccntr_el0, count);
	WRITE_SYSREG(pmovsclr_el0, PMU_CYCLE); /* an overflow that came meanwhile is of the old alarm */
	anchor_n = now.v;
	anchor_count = count;
}

void clock_alarm_set(insn_t at)
{
	uint64_t distance = at.v - clock_now().v;
	CHECK(distance != 0 && distance >> 63 == 0);
	counter_preset(0 - distance);
}

void clock_alarm_cancel(void)
{
	counter_preset(0);
}

void clock_arrive(insn_t n)
{
	WRITE_SYSREG(pmccntr_el0, 0);
	WRITE_SYSREG(pmovsclr_el0, PMU_CYCLE); /* an alarm that was left here is none any more */
	anchor_n = n.v;
	anchor_count = 0;
}

bool clock_init(void)
{
	WRITE_SYSREG(pmccfiltr_el0, 0); /* EL0 and EL1 only */
	WRITE_SYSREG(pmccntr_el0, 0);
	WRITE_SYSREG(pmcr_el0, READ_SYSREG(pmcr_el0) | PMCR_E | PMCR_LC);
	WRITE_SYSREG(pmcntenset_el0, PMU_CYCLE);
	WRITE_SYSREG(pmintenset_el1, PMU_CYCLE);
	return machine_clock_init();
}
