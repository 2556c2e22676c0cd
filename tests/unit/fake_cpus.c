/* The fake machine's CPUs, how hv moves between them, and the instruction clock, which goes along (hv/arch/cpus.c and
 * clock.c). What hv must not do to a machine of several CPUs is checked here; it ends the run as FAKE_BROKEN.
 *
 * 1. A CPU runs hv only after it was started, once, and set up: page tables, traps, interrupts, counters.
 * 2. A CPU that hv has left sleeps: nothing of the guest's is on in it, and nothing but hv's coming back wakes it. The
 *    host's bell is for the CPU that hv is on.
 * 3. A guest is entered as the vCPU that is at home where hv is, which is on, with the virtual CPU interface on and
 *    its own debug registers.
 * 4. The clock is one 64-bit counter for each CPU; an alarm is its overflow, clock_adjust moves the anchor. hv arrives
 *    with the position and without the alarm. */
#include "hv/arch/arch.h"
#include "hv/arch/clock.h"
#include "hv/arch/el2.h"
#include "hv/arch/mmu.h"
#include "hv/arch/panic.h"
#include "hv/arch/stage2.h"
#include "hv/board/board.h"
#include "hv/core/debug_regs.h"
#include "hv/core/hv.h"
#include "hv/dev/vgic_regs.h"
#include "tests/unit/fake_machine.h"

#include <string.h>

enum { HAS_MMU = 1, HAS_STAGE2 = 2, HAS_TRAPS = 4, HAS_BOARD = 8, HAS_CLOCK = 16, HAS_ALL = 31 };

struct fake_cpu fake_cpus[GUEST_VCPU_MAX] = {{.started = true}};
struct fake_cpu *fake_cpu = fake_cpus;

static uint32_t bell_cpu; /* that the host's bell is for */
static uint64_t anchor_n, anchor_count;

static uint32_t here(void)
{
	return (uint32_t)(fake_cpu - fake_cpus);
}

uint32_t fake_cpu_here(void)
{
	return here();
}

/* ---- moving ---- */

static void set_up(uint32_t step)
{
	fake_rule(!(fake_cpu->set_up & step), "each CPU is set up once");
	fake_cpu->set_up |= step;
}

void mmu_enable(void)
{
	set_up(HAS_MMU);
}

void stage2_enable(void)
{
	set_up(HAS_STAGE2);
}

void el2_init_traps(bool id_registers)
{
	(void)id_registers;
	set_up(HAS_TRAPS);
}

void board_cpu_init(enum board_interrupts interrupts)
{
	(void)interrupts;
	set_up(HAS_BOARD);
}

void board_cpu_start(uint32_t cpu, uint64_t entry)
{
	(void)entry;
	fake_rule(!fake_cpus[cpu].started, "a CPU is started once");
	fake_cpus[cpu].started = true;
}

void board_cpu_wake(uint32_t cpu, uint64_t entry)
{
	(void)entry;
	fake_rule(fake_cpus[cpu].started, "only a CPU that was started can be woken");
	bell_cpu = cpu;
}

void arch_cpu_move(uint32_t to, void (*wake)(uint32_t to, uint64_t entry))
{
	insn_t now = clock_now();
	fake_rule(to < hv.boot->vcpu_count, "a vCPU is at home on the CPU of its number");
	if (to == here())
		return;
	fake_cpu->el1.cntv_ctl_el0 = 0;
	fake_cpu->el1.ich_hcr = 0;
	wake(to, 0);
	fake_rule(fake_cpus[to].started, "a CPU that hv goes to was started");
	fake_cpu = &fake_cpus[to];
	fake_cpu->counter = 0;
	fake_cpu->overflowed = false;
	anchor_n = now.v;
	anchor_count = 0;
}

/* A debugger, and hv itself while it steps the guest, may have others in the CPU. */
static bool debug_registers_agree(const struct vcpu_state *vcpu)
{
	const struct vcpu_state *el1 = &fake_cpu->el1;
	if (hv.mailbox->debug_point_count != 0 || vcpu->stepping & VCPU_PASSING)
		return true;
	if (!(vcpu->mdscr_el1 & MDSCR_MDE))
		return el1->mdscr_el1 == vcpu->mdscr_el1;
	return el1->mdscr_el1 == vcpu->mdscr_el1 && memcmp(el1->dbgbcr, vcpu->dbgbcr, sizeof(el1->dbgbcr)) == 0 &&
	       memcmp(el1->dbgbvr, vcpu->dbgbvr, sizeof(el1->dbgbvr)) == 0 &&
	       memcmp(el1->dbgwcr, vcpu->dbgwcr, sizeof(el1->dbgwcr)) == 0 &&
	       memcmp(el1->dbgwvr, vcpu->dbgwvr, sizeof(el1->dbgwvr)) == 0;
}

void fake_cpus_entered(const struct vcpu_state *vcpu)
{
	fake_rule(vcpu == &hv.guest.vcpu[here()], "a vCPU runs on its own CPU");
	fake_rule(vcpu == hv.vcpu && hv.guest.current == here(), "who runs is the current one");
	fake_rule(vcpu->power == VCPU_ON, "a vCPU that is off does not run");
	fake_rule(bell_cpu == here(), "the host's bell is for the CPU that runs");
	fake_rule(fake_cpu->el1.ich_hcr & ICH_HCR_EN, "the virtual CPU interface is on");
	fake_rule(hv.guest.vgic.stage == VGIC_LOADED, "the list registers are in the CPU");
	fake_rule(debug_registers_agree(vcpu), "the debug registers that count are the vCPU's own");
	for (uint32_t i = 0; i < hv.boot->vcpu_count; i++) {
		const struct fake_cpu *cpu = &fake_cpus[i];
		fake_rule(cpu->set_up == HAS_ALL, "every CPU is set up before the guest is entered");
		fake_rule(i == here() || (cpu->el1.cntv_ctl_el0 == 0 && cpu->el1.ich_hcr == 0),
			  "a CPU that sleeps has its virtual timer and its virtual CPU interface off");
	}
}

/* ---- the instruction clock ---- */

insn_t clock_now(void)
{
	return (insn_t){anchor_n + (fake_cpu->counter - anchor_count)};
}

void clock_adjust(uint64_t delta)
{
	anchor_n += delta;
}

insn_t clock_alarm(void)
{
	return (insn_t){anchor_count == 0 ? UINT64_MAX : anchor_n - anchor_count};
}

static void counter_preset(uint64_t count)
{
	anchor_n = clock_now().v;
	fake_cpu->counter = anchor_count = count;
	fake_cpu->overflowed = false;
}

void clock_alarm_set(insn_t at)
{
	uint64_t distance = at.v - clock_now().v;
	CHECK(distance != 0 && distance >> 63 == 0);
	counter_preset(0 - distance);
}

void clock_alarm_cancel(void)
{
	counter_preset(0);
}

uint64_t machine_clock_lead(uint64_t now)
{
	(void)now;
	return 0;
}

bool clock_init(void)
{
	set_up(HAS_CLOCK);
	return !fake_config->no_clock;
}

void fake_clock_count(uint64_t instructions)
{
	if (fake_cpu->counter + instructions < fake_cpu->counter)
		fake_cpu->overflowed = true;
	fake_cpu->counter += instructions;
}
