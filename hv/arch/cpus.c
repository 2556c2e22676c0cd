/* hv is one thread that moves from CPU to CPU: its stack and all that it knows go along, and the CPU that it leaves
 * sleeps.
 *
 * 1. Each vCPU keeps its registers, TLB, virtual CPU interface and debug registers in a CPU of its own, so a turn costs
 *    no saving, no loading and no page table walks.
 * 2. The counter of a CPU counts the machine's time while that CPU is at EL1 or EL0, whoever runs then. So all others
 *    have to sleep before a guest is entered: cpu_move waits until the CPU that was left does.
 * 3. A CPU that sleeps is woken by cpu_move's SGI and by nothing else: the priority mask lets no other interrupt in,
 *    its virtual timer is off, and its virtual CPU interface signals nothing. */
#include "hv/arch/arch.h"
#include "hv/arch/clock.h"
#include "hv/arch/machine_clock.h"
#include "hv/arch/sysreg.h"

static uint32_t here;

void cpu_move(uint32_t from, uint32_t to, void (*wake)(uint32_t to, uint64_t entry));

void arch_cpu_move(uint32_t to, void (*wake)(uint32_t to, uint64_t entry))
{
	uint32_t from = here;
	insn_t now = clock_now();
	if (to == from)
		return;
	WRITE_SYSREG(cntv_ctl_el0, 0);
	WRITE_SYSREG(ICH_HCR_EL2, 0);
	here = to;
	cpu_move(from, to, wake);
	machine_clock_arrive(to);
	clock_arrive(now);
}
