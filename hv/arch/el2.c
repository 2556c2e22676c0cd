/* What traps to EL2, in one place, once (invariant I6). Not trapped on purpose: plain reads whose trap would over-count
 * (docs/CLOCK.md) and whose values are the same on every machine. CNTPCT traps until
 * its read is replaced (hv/core/patch.c). */
#include "hv/arch/el2.h"
#include "hv/arch/sysreg.h"

void el2_init_traps(bool id_registers)
{
	WRITE_SYSREG(hcr_el2, HCR_RW | HCR_VM | HCR_SWIO | HCR_FMO | HCR_IMO | HCR_AMO | HCR_TWI | HCR_TSC |
				      (id_registers ? HCR_TID3 : 0));
	WRITE_SYSREG(mdcr_el2, FIELD_PUT(MDCR_HPMN, 2) | MDCR_HPME | MDCR_TPM | MDCR_TPMCR | MDCR_TDE | MDCR_TDA |
				       MDCR_TDOSA | MDCR_TDRA);
	WRITE_SYSREG(cptr_el2, 0x33ff); /* RES1 bits; SIMD does not trap */
	WRITE_SYSREG(hstr_el2, 0);
	WRITE_SYSREG(cnthctl_el2, 0); /* CNTPCT and CNTP_* trap */
	WRITE_SYSREG(vpidr_el2, READ_SYSREG(midr_el1));
	WRITE_SYSREG(vmpidr_el2, READ_SYSREG(mpidr_el1)); /* vCPU i is at home on CPU i: affinity i */
	WRITE_SYSREG(mdscr_el1, 0);
	WRITE_SYSREG(osdlr_el1, 0);
	WRITE_SYSREG(oslar_el1, 0); /* the CPU's own lock is open; the guest has a virtual one */
	__asm__ volatile("isb");    /* before the first entry */
}
