/* Exception entry to EL1, done by hv: ELR, SPSR, ESR and FAR, the new PSTATE, and pc at the vector. */
#include "hv/core/inject.h"
#include "hv/abi/esr.h"
#include "hv/abi/field.h"
#include "hv/abi/pstate.h"
#include "hv/arch/arch.h"
#include "hv/core/hv.h"

#define PSTATE_KEPT (PSTATE_NZCV | PSTATE_DIT | PSTATE_PAN)
#define SCTLR_SPAN  BIT(23)
#define SCTLR_DSSBS BIT(44)

enum { FSC_EXTERNAL = 0x10, FSC_EXTERNAL_WALK = 0x14 };

static bool from_el1(void)
{
	return FIELD_GET(hv_vcpu()->pstate, PSTATE_M) != 0;
}

static uint64_t vector_offset(uint64_t pstate)
{
	if (pstate & PSTATE_NRW)
		return 0x600;
	if (FIELD_GET(pstate, PSTATE_M) == 0)
		return 0x400;
	return FIELD_GET(pstate, PSTATE_M) == PSTATE_EL1H ? 0x200 : 0x000;
}

static bool exception_take(uint64_t esr, va_t far, bool has_far)
{
	struct vcpu_state *vcpu = hv_vcpu();
	uint64_t sctlr = arch_sctlr_el1();
	uint64_t pstate = vcpu->pstate & PSTATE_KEPT;
	if (!(sctlr & SCTLR_SPAN))
		pstate |= PSTATE_PAN;
	if (sctlr & SCTLR_DSSBS)
		pstate |= PSTATE_SSBS;
	pstate |= PSTATE_DAIF | PSTATE_EL1H;
	arch_el1_save(vcpu);
	uint64_t vector = arch_vbar_el1() + vector_offset(vcpu->pstate);
	bool same = vcpu->pc == vector && vcpu->elr_el1 == vector && vcpu->pstate == pstate &&
		    vcpu->spsr_el1 == pstate && vcpu->esr_el1 == esr && (!has_far || vcpu->far_el1 == far.v);
	vcpu->elr_el1 = vcpu->pc;
	vcpu->spsr_el1 = vcpu->pstate;
	vcpu->esr_el1 = esr;
	if (has_far)
		vcpu->far_el1 = far.v;
	arch_el1_load_exception(vcpu);
	vcpu->pc = vector;
	vcpu->pstate = pstate;
	return !same;
}

bool inject_undefined(void)
{
	return exception_take(FIELD_PUT(ESR_EC, EC_UNKNOWN) | ESR_IL, (va_t){0}, false);
}

bool inject_trap(uint64_t esr)
{
	return exception_take(esr, (va_t){0}, false);
}

bool inject_external_abort(va_t far, bool is_instruction, bool is_write, bool is_walk, uint32_t level)
{
	uint64_t ec = is_instruction ? EC_INSTRUCTION_ABORT : EC_DATA_ABORT;
	if (from_el1())
		ec++; /* … from the same level */
	uint64_t iss = is_walk ? FSC_EXTERNAL_WALK | (level & 3) : FSC_EXTERNAL;
	if (is_write && !is_instruction)
		iss |= ISS_WNR;
	return exception_take(FIELD_PUT(ESR_EC, ec) | ESR_IL | iss, far, true);
}

bool inject_debug(uint64_t esr, va_t far, bool has_far)
{
	uint64_t ec = FIELD_GET(esr, ESR_EC);
	if (from_el1() && ec != EC_BRK && ec != EC_BKPT32)
		ec++; /* … from the same level */
	return exception_take((esr & ~FIELD_MASK(ESR_EC)) | FIELD_PUT(ESR_EC, ec), far, has_far);
}
