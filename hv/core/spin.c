/* A vCPU that waits for another by WFE or YIELD cannot go on before it has given its turn away. Neither instruction
 * traps on QEMU, so those that the guest was found at are replaced by ones that do (patch.h).
 *
 * 1. Found: at an asynchronous exit, within NEAR_BYTES of pc, while another vCPU could run. All of this is a
 *    function of the guest and of the trace, so a replay replaces the same ones.
 * 2. Only EL1's: HVC is UNDEFINED at EL0. And none with a store-exclusive behind it whose load-exclusive is before it.
 */
#include "hv/core/spin.h"
#include "hv/abi/pstate.h"
#include "hv/arch/arch.h"
#include "hv/arch/hot.h"
#include "hv/core/hv.h"
#include "hv/core/patch.h"
#include "hv/core/turn.h"
#include "hv/shared/exclusive_code.h"

enum { WORD_BYTES = 4 };

#define NEAR_BYTES     UINT64_C(16)
#define SEQUENCE_BYTES UINT64_C(128) /* an exclusive sequence is no longer (Arm ARM B2.9.5) */

#define PAGE_OFFSETS UINT64_C(0xfff)

static uint64_t found;

uint64_t spin_found(void)
{
	return found;
}

/* Each exit clears the exclusive monitor, so that the store would fail for ever. */
static bool is_before_store(ipa_t hint)
{
	for (uint64_t at = hint.v + WORD_BYTES; at <= hint.v + SEQUENCE_BYTES; at += WORD_BYTES) {
		volatile uint32_t *word = hv_ram_word((ipa_t){at});
		if (!word || exclusive_code_is_exclusive(*word, true) || exclusive_code_is_barrier(*word))
			return false;
		if (exclusive_code_is_exclusive(*word, false))
			return true;
	}
	return false;
}

static void look_around(ipa_t here)
{
	uint64_t page = here.v & ~PAGE_OFFSETS;
	for (uint64_t at = here.v - NEAR_BYTES; at <= here.v + NEAR_BYTES; at += WORD_BYTES) {
		if ((at & ~PAGE_OFFSETS) == page && !is_before_store((ipa_t){at}) && patch_spin((ipa_t){at}))
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
	return patch_is_spin_call(exit_imm16(exit)) &&
	       (!arch_translate((va_t){vcpu->pc}, vcpu->pstate, &here) || patch_covers(here, WORD_BYTES));
}
