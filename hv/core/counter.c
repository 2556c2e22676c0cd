/* When a guest polls CNTPCT_EL0, the instruction that does it is replaced (patch.h): a trap costs 50 times what a read
 * of the virtual counter does.
 *
 * 1. An instruction has to trap READS_TO_PATCH times first, and again so often after the guest has accessed its page as
 *    data. That many traps cost about what a replacement and its undoing do, so a guest whose code and data share a
 *    page pays about twice what traps alone would cost it at most, however it goes about.
 * 2. Only EL1's reads are replaced: EL0's permissions for the two counters may differ (CNTKCTL_EL1).
 * 3. Which reads trap is a function of the guest: see patch.c. Instructions that share a counter in the table (a hash
 *    of pc) are replaced a little earlier or later, no more. */
#include "hv/core/counter.h"
#include "hv/abi/field.h"
#include "hv/abi/pstate.h"
#include "hv/arch/arch.h"
#include "hv/core/hv.h"
#include "hv/core/patch.h"

enum { READS_TO_PATCH = 32 };

bool counter_reads_are_events(void)
{
	return hv.boot->machine_version < 2;
}

void counter_trapped(void)
{
	const struct vcpu_state *vcpu = hv_vcpu();
	uint8_t *heat = &hv.guest.patch.heat[vcpu->pc / sizeof(uint32_t) % GUEST_HEAT_COUNT];
	ipa_t ipa;
	if (FIELD_GET(vcpu->pstate, PSTATE_EL) == 0 || ++*heat < READS_TO_PATCH)
		return;
	*heat = 0;
	if (arch_translate((va_t){vcpu->pc}, vcpu->pstate, &ipa))
		patch_word(ipa);
}
