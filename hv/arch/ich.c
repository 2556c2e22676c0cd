/* The virtual CPU interface's registers (GICv3 manual, chapter 12.4), CPU ↔ struct vcpu_state. */
#include "hv/arch/arch.h"
#include "hv/arch/sysreg.h"

_Static_assert(GUEST_LR_COUNT == 4, "one line for each list register below");

void arch_ich_save(struct vcpu_state *vcpu)
{
	vcpu->ich_hcr = READ_SYSREG(ICH_HCR_EL2);
	vcpu->ich_vmcr = READ_SYSREG(ICH_VMCR_EL2);
	vcpu->ich_ap0r0 = READ_SYSREG(ICH_AP0R0_EL2);
	vcpu->ich_ap1r0 = READ_SYSREG(ICH_AP1R0_EL2);
	vcpu->ich_lr[0] = READ_SYSREG(ICH_LR0_EL2);
	vcpu->ich_lr[1] = READ_SYSREG(ICH_LR1_EL2);
	vcpu->ich_lr[2] = READ_SYSREG(ICH_LR2_EL2);
	vcpu->ich_lr[3] = READ_SYSREG(ICH_LR3_EL2);
}

void arch_ich_load(const struct vcpu_state *vcpu)
{
	WRITE_SYSREG(ICH_LR0_EL2, vcpu->ich_lr[0]);
	WRITE_SYSREG(ICH_LR1_EL2, vcpu->ich_lr[1]);
	WRITE_SYSREG(ICH_LR2_EL2, vcpu->ich_lr[2]);
	WRITE_SYSREG(ICH_LR3_EL2, vcpu->ich_lr[3]);
	WRITE_SYSREG(ICH_HCR_EL2, vcpu->ich_hcr);
}

void arch_ich_restore(const struct vcpu_state *vcpu)
{
	WRITE_SYSREG(ICH_VMCR_EL2, vcpu->ich_vmcr);
	WRITE_SYSREG(ICH_AP0R0_EL2, vcpu->ich_ap0r0);
	WRITE_SYSREG(ICH_AP1R0_EL2, vcpu->ich_ap1r0);
	arch_ich_load(vcpu);
}
