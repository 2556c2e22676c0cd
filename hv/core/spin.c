/* A vCPU that waits for another by WFE or YIELD cannot go on before it has given its turn away. Neither instruction
 * traps on QEMU, so those that the guest was found at are replaced by ones that do (patch.h).
 *
 * 1. Found: at an asynchronous exit, within NEAR_BYTES of pc, while another vCPU could run. All of this is a
 *    function of the guest and of the trace, so a replay replaces the same ones.
 * 2. Only EL1's: HVC is UNDEFINED at EL0. */
#include "hv/core/spin.h"
#include "hv/abi/pstate.h"
#include "hv/arch/arch.h"
#include "hv/arch/hot.h"
#include "hv/core/hv.h"
#include "hv/core/patch.h"
#include "hv/core/turn.h"

enum { WORD_BYTES = 4 };

#define NEAR_BYTES UINT64_C(16)

#define PAGE_OFFSETS UINT64_C(0xfff)
#define ISS_IMM16_HI 15
#define ISS_IMM16_LO 0

static uint64_t found;

uint64_t spin_found(void)
{
	return found;
}

static void look_around(ipa_t here)
{
	uint64_t page = here.v & ~PAGE_OFFSETS;
	for (uint64_t at = here.v - NEAR_BYTES; at <= here.v + NEAR_BYTES; at += WORD_BYTES) {
		if ((at & ~PAGE_OFFSETS) == page && patch_spin((ipa_t){at}))
			found++;
	}
}

HV_APART void spin_look(void)
{
	const struct vcpu_state *vcpu = hv_vcpu();
	ipa_t here;
	if (hv.guest.vcpu_count == 1 || FIELD_GET(vcpu->pstate, PSTATE_EL) == 0 || !turn_others_can_run())
		return;
	if (arch_translate((va_t){vcpu->pc}, vcpu->pstate, &here))
		look_around(here);
}

bool spin_is_here(const struct exit *exit)
{
	const struct vcpu_state *vcpu = hv_vcpu();
	ipa_t here;
	return patch_is_spin_call((uint16_t)FIELD_GET(exit->esr, ISS_IMM16)) &&
	       arch_translate((va_t){vcpu->pc}, vcpu->pstate, &here) && patch_covers(here, WORD_BYTES);
}
