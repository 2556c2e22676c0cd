/* The guest's registers are those at the exit, so nothing of the instruction is done. */
#include "hv/core/load_store.h"
#include "hv/abi/pstate.h"
#include "hv/arch/arch.h"
#include "hv/core/hv.h"

bool load_store_fetch(va_t va, uint32_t *word, volatile uint32_t **at)
{
	uint64_t pstate = hv_vcpu()->pstate;
	ipa_t ipa;
	if (pstate & PSTATE_NRW || !arch_translate(va, pstate, &ipa))
		return false;
	*at = hv_code_word(ipa);
	if (!*at)
		return false;
	*word = **at;
	return true;
}

bool load_store_here(struct load_store *here)
{
	const struct vcpu_state *vcpu = hv_vcpu();
	volatile uint32_t *at;
	here->word = 0;
	if (!load_store_fetch((va_t){vcpu->pc}, &here->word, &at) || !decode_load_store(here->word, &here->access))
		return false;
	uint8_t rm = here->access.rm;
	uint64_t index = here->access.has_register_offset && rm != 31 ? vcpu->x[rm] : 0;
	here->base = here->access.is_literal ? vcpu->pc
		     : here->access.rn == 31 ? arch_sp_read(vcpu->pstate)
					     : vcpu->x[here->access.rn];
	here->va = decode_address(&here->access, here->base, index);
	return true;
}
