/* The debug registers that the guest reads and writes, kept in struct vcpu_state and loaded into the CPU by debug_load.
 */
#include "hv/core/debug_regs.h"
#include "hv/core/debug.h"
#include "hv/core/hv.h"
#include "hv/core/sysreg.h"
#include "hv/core/sysreg_rows.h"
#include <stddef.h>

#define OSLSR_OSLM BIT(3) /* the lock is implemented */
#define CLAIM_BITS UINT64_C(0xff)

uint64_t read_mdscr(uint32_t key)
{
	(void)key;
	return hv_vcpu()->mdscr_el1;
}

void write_mdscr(uint32_t key, uint64_t value)
{
	(void)key;
	hv_vcpu()->mdscr_el1 = value & (MDSCR_SS | MDSCR_KDE | MDSCR_MDE | BIT(12));
	hv_vcpu()->stepping &= ~(uint32_t)VCPU_MASKED_STEP;
	debug_load();
}

void write_oslar(uint32_t key, uint64_t value)
{
	(void)key;
	hv_vcpu()->oslsr_el1 = value & 1 ? OSLSR_OSLM | OSLSR_OSLK : OSLSR_OSLM;
}

uint64_t read_oslsr(uint32_t key)
{
	(void)key;
	return hv_vcpu()->oslsr_el1;
}

uint64_t read_claim_bits(uint32_t key)
{
	(void)key;
	return CLAIM_BITS;
}

void write_claim_set(uint32_t key, uint64_t value)
{
	(void)key;
	hv_vcpu()->dbgclaim |= value & CLAIM_BITS;
}

uint64_t *breakpoint_register(uint32_t key, struct vcpu_state *vcpu)
{
	uint32_t number = key >> 3 & 0xf;
	if ((key & ~UINT32_C(0x7f)) != SYSREG_KEY(2, 0, 0, 0, 0))
		return NULL;
	switch (key & 7) {
	case 4:
		return number < GUEST_BREAKPOINT_COUNT ? &vcpu->dbgbvr[number] : NULL;
	case 5:
		return number < GUEST_BREAKPOINT_COUNT ? &vcpu->dbgbcr[number] : NULL;
	case 6:
		return number < GUEST_WATCHPOINT_COUNT ? &vcpu->dbgwvr[number] : NULL;
	case 7:
		return number < GUEST_WATCHPOINT_COUNT ? &vcpu->dbgwcr[number] : NULL;
	default:
		return NULL;
	}
}

uint64_t read_breakpoint(uint32_t key)
{
	return *breakpoint_register(key, hv_vcpu());
}

void write_breakpoint(uint32_t key, uint64_t value)
{
	bool is_value = (key & 1) == 0; /* an address: bits 1:0 are RES0 */
	*breakpoint_register(key, hv_vcpu()) = is_value ? value & ~UINT64_C(3) : value;
	debug_load();
}
