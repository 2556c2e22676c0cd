/* Moves the guest's registers between struct vcpu_state and the CPU, and reads what an exit left. hv itself uses
 * neither EL1's registers nor SIMD, so they stay in the CPU from exit to exit; these functions serve stops and
 * injections. */
#include "hv/abi/pstate.h"
#include "hv/arch/arch.h"
#include "hv/arch/sysreg.h"

#define HPFAR_FIPA_HI 43
#define HPFAR_FIPA_LO 4
#define PAR_FAILED    BIT(0)
#define PAR_PA_HI     47
#define PAR_PA_LO     12

void arch_el1_save(struct vcpu_state *vcpu)
{
#define EL1_REG(field, reg) vcpu->field = READ_SYSREG(reg);
#include "hv/arch/el1.def"
#undef EL1_REG
	arch_vtimer_save(vcpu);
	arch_simd_save(vcpu->v);
}

void arch_el1_load(const struct vcpu_state *vcpu)
{
#define EL1_REG(field, reg) WRITE_SYSREG(reg, vcpu->field);
#include "hv/arch/el1.def"
#undef EL1_REG
	WRITE_SYSREG(cntv_ctl_el0, vcpu->cntv_ctl_el0);
	arch_simd_load(vcpu->v);
	__asm__ volatile("isb"); /* all of it holds before the guest is entered or its tables are walked */
}

void arch_el1_reset(struct vcpu_state *vcpu)
{
	vcpu->sctlr_el1 = SCTLR_EL1_RESET;
}

void arch_el1_load_exception(const struct vcpu_state *vcpu)
{
	WRITE_SYSREG(elr_el1, vcpu->elr_el1);
	WRITE_SYSREG(spsr_el1, vcpu->spsr_el1);
	WRITE_SYSREG(esr_el1, vcpu->esr_el1);
	WRITE_SYSREG(far_el1, vcpu->far_el1);
}

uint64_t arch_vbar_el1(void)
{
	return READ_SYSREG(vbar_el1);
}

uint64_t arch_sctlr_el1(void)
{
	return READ_SYSREG(sctlr_el1);
}

uint64_t arch_elr_el1(void)
{
	return READ_SYSREG(elr_el1);
}

uint64_t arch_spsr_el1(void)
{
	return READ_SYSREG(spsr_el1);
}

void arch_spsr_el1_write(uint64_t value)
{
	WRITE_SYSREG(spsr_el1, value);
}

void arch_vtimer_save(struct vcpu_state *vcpu)
{
	vcpu->cntv_ctl_el0 = READ_SYSREG(cntv_ctl_el0) & ~CNTV_CTL_ISTATUS;
	vcpu->cntv_cval_el0 = READ_SYSREG(cntv_cval_el0);
}

void arch_vtimer_load(const struct vcpu_state *vcpu)
{
	WRITE_SYSREG(cntv_ctl_el0, vcpu->cntv_ctl_el0);
}

struct arch_syndrome arch_syndrome_read(void)
{
	return (struct arch_syndrome){
		.esr = READ_SYSREG(esr_el2),
		.far = READ_SYSREG(far_el2),
		.ipa_page = FIELD_GET(READ_SYSREG(hpfar_el2), HPFAR_FIPA) << 12,
	};
}

bool arch_translate(va_t va, uint64_t pstate, ipa_t *ipa)
{
	uint64_t kept = READ_SYSREG(par_el1); /* the guest's */
	if (FIELD_GET(pstate, PSTATE_EL) == 0)
		__asm__ volatile("at s1e0r, %0" ::"r"(va.v));
	else
		__asm__ volatile("at s1e1r, %0" ::"r"(va.v));
	__asm__ volatile("isb"); /* PAR holds the answer */
	uint64_t par = READ_SYSREG(par_el1);
	WRITE_SYSREG(par_el1, kept);
	if (par & PAR_FAILED)
		return false;
	ipa->v = FIELD_GET(par, PAR_PA) << PAR_PA_LO | (va.v & 0xfff);
	return true;
}

void arch_pmuserenr_load(uint64_t value)
{
	WRITE_SYSREG(pmuserenr_el0, value);
}

uint64_t arch_sp_read(uint64_t pstate)
{
	return pstate & PSTATE_SP ? READ_SYSREG(sp_el1) : READ_SYSREG(sp_el0);
}

void arch_sp_write(uint64_t pstate, uint64_t value)
{
	if (pstate & PSTATE_SP)
		WRITE_SYSREG(sp_el1, value);
	else
		WRITE_SYSREG(sp_el0, value);
}

uint64_t arch_counter_frequency(void)
{
	return READ_SYSREG(cntfrq_el0);
}

uint32_t arch_fingerprint(uint64_t fingerprint[HV_FINGERPRINT_COUNT])
{
	uint32_t count = 0;
#define FINGERPRINT(name, op1, crn, crm, op2) fingerprint[count++] = READ_SYSREG(S3_##op1##_C##crn##_C##crm##_##op2);
#include "hv/abi/fingerprint.def"
#undef FINGERPRINT
	return count;
}
