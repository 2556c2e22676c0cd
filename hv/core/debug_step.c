/* Software step as in Arm ARM D2.12: MDSCR_EL1.SS says that the guest is stepped, PSTATE.SS that the next instruction
 * runs first. */
#include "hv/core/debug_step.h"
#include "hv/abi/pstate.h"
#include "hv/arch/arch.h"
#include "hv/core/debug_regs.h"
#include "hv/core/hv.h"

void debug_step_begin(struct vcpu_state *stepping)
{
	stepping->mdscr_el1 |= MDSCR_SS;
	arch_debug_load(stepping);
	hv_vcpu()->pstate |= PSTATE_SS;
	hv_vcpu()->stepping |= VCPU_PASSING;
}

bool debug_step_end(void)
{
	if (!(hv_vcpu()->stepping & VCPU_PASSING))
		return false;
	hv_vcpu()->stepping &= ~(uint32_t)(VCPU_PASSING | VCPU_FOLLOWING);
	hv_vcpu()->pstate &= ~PSTATE_SS;
	return true;
}

bool debug_step_comes_again(void)
{
	return (hv_vcpu()->stepping & (VCPU_PASSING | VCPU_FOLLOWING)) == VCPU_PASSING;
}
