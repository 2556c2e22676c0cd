/* Both in one order: EL1's registers, the virtual PMU (which has nothing to save), the virtual CPU interface. */
#include "hv/core/vcpu.h"
#include "hv/arch/arch.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"
#include "hv/core/sysreg_rows.h"

void vcpu_save(void)
{
	arch_el1_save(hv_vcpu());
	interrupts_save();
}

void vcpu_load(void)
{
	arch_el1_load(hv_vcpu());
	vpmu_load();
	interrupts_restore();
}
