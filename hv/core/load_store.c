/* The guest's registers are those at the exit, so nothing of the instruction is done. */
#include "hv/core/load_store.h"
#include "hv/arch/arch.h"
#include "hv/core/hv.h"

#define PSTATE_NRW (UINT64_C(1) << 4) /* AArch32 */

static bool fetch(uint32_t *word)
{
	ipa_t ipa;
	if (!arch_translate((va_t){hv_vcpu()->pc}, hv_vcpu()->pstate, &ipa))
		return false;
	const volatile uint32_t *at = hv_ram_word(ipa);
	if (!at)
		return false;
	*word = *at;
	return true;
}

bool load_store_here(struct load_store *here)
{
	const struct vcpu_state *vcpu = hv_vcpu();
	here->word = 0;
	if (vcpu->pstate & PSTATE_NRW || !fetch(&here->word) || !decode_load_store(here->word, &here->access))
		return false;
	uint8_t rm = here->access.rm;
	uint64_t index = here->access.has_register_offset && rm != 31 ? vcpu->x[rm] : 0;
	here->base = here->access.is_literal ? vcpu->pc
		     : here->access.rn == 31 ? arch_sp_read(vcpu->pstate)
					     : vcpu->x[here->access.rn];
	here->va = decode_address(&here->access, here->base, index);
	return true;
}
