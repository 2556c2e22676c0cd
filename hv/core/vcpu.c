/* A vCPU's registers are in the CPU that it is at home on until somebody wants to see them, or has others for it.
 *
 * 1. in_cpu says of whom they are there. Of the others struct vcpu_state has them, and they are loaded when their turn
 *    comes.
 * 2. The virtual timer is not among them: only that of the vCPU that runs is on, and a turn saves it. */
#include "hv/core/vcpu.h"
#include "hv/abi/field.h"
#include "hv/arch/arch.h"
#include "hv/board/board.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"
#include "hv/core/sysreg_rows.h"
#include "hv/dev/vgic.h"

#define PSTATE_EL1H_MASKED UINT64_C(0x3c5)
#define OSLSR_RESET        UINT64_C(0xa) /* the OS lock is implemented, and locked */

static uint32_t in_cpu;

static bool is_in_cpu(uint32_t vcpu)
{
	return in_cpu >> vcpu & 1;
}

static void save_other(uint32_t i)
{
	struct vcpu_state *vcpu = &hv.guest.vcpu[i];
	uint64_t timer = vcpu->cntv_ctl_el0;
	arch_cpu_move(i, board_cpu_wake);
	arch_el1_save(vcpu);
	vcpu->cntv_ctl_el0 = timer;
}

void vcpu_save(void)
{
	arch_el1_save(hv_vcpu());
	interrupts_save();
	if (in_cpu == BIT(hv.guest.current))
		return;
	for (uint32_t i = 0; i < hv.guest.vcpu_count; i++) {
		if (i != hv.guest.current && is_in_cpu(i))
			save_other(i);
	}
	arch_cpu_move(hv.guest.current, board_cpu_wake);
	interrupts_restore();
	arch_vtimer_load(hv_vcpu());
}

void vcpu_load(void)
{
	in_cpu = (uint32_t)BIT(hv.guest.current);
	arch_cpu_move(hv.guest.current, board_cpu_wake);
	arch_el1_load(hv_vcpu());
	vpmu_load();
	interrupts_restore();
}

void vcpu_turn(uint32_t to)
{
	arch_vtimer_save(hv_vcpu());
	hv.guest.current = to;
	hv.vcpu = &hv.guest.vcpu[to];
	if (!is_in_cpu(to)) {
		uint32_t others = in_cpu;
		vcpu_load();
		in_cpu |= others;
	} else {
		arch_cpu_move(to, board_cpu_wake);
		arch_vtimer_load(hv_vcpu());
	}
}

void vcpu_reset(uint32_t i, uint64_t pc, uint64_t x0)
{
	struct vcpu_state *vcpu = &hv.guest.vcpu[i];
	*vcpu = (struct vcpu_state){.pc = pc, .pstate = PSTATE_EL1H_MASKED, .oslsr_el1 = OSLSR_RESET};
	vcpu->x[0] = x0;
	arch_el1_reset(vcpu);
	vgic_reset_cpu(vcpu);
	in_cpu &= (uint32_t)~BIT(i);
}
