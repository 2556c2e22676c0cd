/* One table: where each of gdb's registers is. */
#include "replay/debugger/target_registers.h"
#include "gdbstub/gdb_registers.h"
#include "hv/abi/pstate.h"

#include <stddef.h>
#include <string.h>

#define CYCLE (UINT64_C(1) << 31) /* the PMU's cycle counter */

struct place {
	size_t offset;
	uint32_t bits;
};

#include "replay/debugger/register_names.def"
static const struct place places[] = {
#define GDB_REGISTER(feature, id, name, bits, type, group) {offsetof(struct vcpu_state, id), bits},
#include "gdbstub/gdb_registers.def"
#undef GDB_REGISTER
};
#undef sp

enum { PLACE_COUNT = sizeof(places) / sizeof(places[0]) };

static size_t place_offset(const struct vcpu_state *vcpu, uint32_t number)
{
	return number == GDB_REG_sp && vcpu->pstate & PSTATE_SP ? offsetof(struct vcpu_state, sp_el1)
								: places[number].offset;
}

bool target_registers_read(const struct vcpu_state *vcpu, uint32_t number, struct target_value *value)
{
	if (number >= PLACE_COUNT)
		return false;
	const struct place *place = &places[number];
	*value = (struct target_value){0, 0};
	memcpy(value, (const uint8_t *)vcpu + place_offset(vcpu, number), place->bits == 128 ? 16 : 8);
	if (place->bits == 32)
		value->low &= UINT32_MAX;
	return true;
}

/* The bits that hv keeps of what the guest writes (hv/core/debug.c, timers.c, vpmu.c). */
static uint64_t writable_bits(uint32_t number)
{
	switch (number) {
	case GDB_REG_cntv_ctl_el0:
	case GDB_REG_cntp_ctl_el0:
		return 3;
	case GDB_REG_cntv_cval_el0:
		return INT64_MAX; /* never, all the same; QEMU wraps around near 2^64 and comes to rest no more */
	case GDB_REG_mdscr_el1:
		return 0xb001;
	case GDB_REG_osdlr_el1:
		return 1;
	case GDB_REG_pmcr_el0:
		return 0x79;
	case GDB_REG_pmcntenset_el0:
	case GDB_REG_pmintenset_el1:
	case GDB_REG_pmovsset_el0:
		return CYCLE;
	case GDB_REG_pmuserenr_el0:
		return 0xf;
	case GDB_REG_pmselr_el0:
		return 0x1f;
	case GDB_REG_pmccfiltr_el0:
		return 0xf8000000;
	default:
		return UINT64_MAX;
	}
}

/* EL0t, EL1t, EL1h, and AArch32's User mode. Another would be hv's own level, or an illegal return to the guest. */
static bool is_guest_mode(uint64_t pstate)
{
	uint64_t mode = pstate & 0x1f;
	return mode == 0 || mode == 4 || mode == 5 || mode == 0x10;
}

bool target_registers_write(struct vcpu_state *vcpu, uint32_t number, const struct target_value *value)
{
	if (number >= PLACE_COUNT || number == GDB_REG_oslsr_el1 ||
	    (number == GDB_REG_cpsr && !is_guest_mode(value->low)))
		return false;
	struct target_value kept = {value->low & writable_bits(number), value->high};
	memcpy((uint8_t *)vcpu + place_offset(vcpu, number), &kept, places[number].bits == 128 ? 16 : 8);
	return true;
}
