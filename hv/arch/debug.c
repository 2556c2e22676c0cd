/* The guest's hardware breakpoints, watchpoints and MDSCR_EL1, as it set them, into the CPU. MDCR_EL2.TDE routes every
 * debug exception to EL2; hv/core/debug.c passes them on. */
#include "hv/arch/arch.h"
#include "hv/arch/sysreg.h"

void arch_debug_load(const struct vcpu_state *vcpu)
{
#define LOAD_BREAKPOINT(i)                                                                                             \
	WRITE_SYSREG(dbgbvr##i##_el1, vcpu->dbgbvr[i]);                                                                \
	WRITE_SYSREG(dbgbcr##i##_el1, vcpu->dbgbcr[i])
#define LOAD_WATCHPOINT(i)                                                                                             \
	WRITE_SYSREG(dbgwvr##i##_el1, vcpu->dbgwvr[i]);                                                                \
	WRITE_SYSREG(dbgwcr##i##_el1, vcpu->dbgwcr[i])
	LOAD_BREAKPOINT(0);
	LOAD_BREAKPOINT(1);
	LOAD_BREAKPOINT(2);
	LOAD_BREAKPOINT(3);
	LOAD_BREAKPOINT(4);
	LOAD_BREAKPOINT(5);
	LOAD_WATCHPOINT(0);
	LOAD_WATCHPOINT(1);
	LOAD_WATCHPOINT(2);
	LOAD_WATCHPOINT(3);
	WRITE_SYSREG(mdscr_el1, vcpu->mdscr_el1);
	__asm__ volatile("isb"); /* in force at the next entry */
}
