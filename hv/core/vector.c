/* The vectors are where VBAR_EL1 says now; nothing of it is kept. Standing at one is known by pc alone. */
#include "hv/core/vector.h"
#include "hv/abi/pstate.h"
#include "hv/arch/arch.h"
#include "hv/core/hv.h"

bool vector_is_here(void)
{
	uint64_t offset = hv_vcpu()->pc - arch_vbar_el1();
	return offset < VECTORS_BYTES && offset % VECTOR_BYTES == 0;
}

bool vector_is_own(const struct vcpu_state *vcpu)
{
	return vcpu->elr_el1 == vcpu->pc && vcpu->spsr_el1 == vcpu->pstate;
}

bool vector_loops_here(void)
{
	struct vcpu_state now = *hv_vcpu();
	now.elr_el1 = arch_elr_el1();
	now.spsr_el1 = arch_spsr_el1();
	return vector_is_here() && vector_is_own(&now);
}
