/* The fake of hv/arch and hv/board: a CPU that runs the scripted guest, with the virtual timer, the virtual CPU
 * interface's interrupts and the counting of traps as DESIGN sections 2 and 9 measured them. The CPUs themselves, the
 * instruction clock and how hv moves are fake_cpus.c's.
 *
 * 1. An interrupt takes the guest out between two steps, inside a loop too; a trap comes before an alarm that its own
 *    instruction made due.
 * 2. Replaying (alarm_only) nothing but the alarm interrupts the guest. */
#include "hv/abi/field.h"
#include "hv/arch/arch.h"
#include "hv/arch/clock.h"
#include "hv/arch/el2.h"
#include "hv/arch/mmu.h"
#include "hv/arch/pagetable.h"
#include "hv/arch/panic.h"
#include "hv/arch/stage2.h"
#include "hv/board/board.h"
#include "tests/unit/fake_machine.h"
#include "tests/unit/vgic_model.h"

#include <criterion/criterion.h>
#include <string.h>

enum { ENTRIES_MAX = 200000, STEPS_MAX = 40000000 };

static uint64_t entry_ns, entry_retired; /* what the counters had counted at the last entry, instructions since */

static bool execute_only[FAKE_RAM_BYTES / PAGE_BYTES];
static bool execute_only_known[FAKE_RAM_BYTES / PAGE_BYTES]; /* by the TLB */

static bool alarm_only;
static bool host_rang, is_spurious;
static bool host_let_in; /* in a replay */
static uint64_t entries, steps;

/* ---- interrupts ---- */

static bool vtimer_line(void)
{
	const struct vcpu_state *el1 = &fake_cpu->el1;
	uint64_t counter_ns = entry_ns + entry_retired;
	return (el1->cntv_ctl_el0 & 3) == 1 && el1->cntv_cval_el0 <= counter_ns / GUEST_NS_PER_TICK;
}

static uint32_t irqs_asserted(void)
{
	uint32_t irqs = fake_cpu->overflowed ? BOARD_IRQ_ALARM : 0;
	if (alarm_only)
		return irqs | (host_let_in && host_rang ? BOARD_IRQ_HOST : 0);
	irqs |= vtimer_line() && !fake_cpu->vtimer_active ? BOARD_IRQ_VTIMER : 0;
	irqs |= host_rang ? BOARD_IRQ_HOST : 0;
	irqs |= hw_maintenance(&fake_cpu->el1) && !fake_cpu->maintenance_active ? BOARD_IRQ_MAINTENANCE : 0;
	return irqs;
}

static bool irq_now(void)
{
	host_rang |= fake_machine_rings_back();
	host_rang |= fake_machine_acts(clock_now().v, entry_retired == 0, &is_spurious) != 0;
	return irqs_asserted() != 0 || is_spurious;
}

bool fake_machine_irq_at_wfi(void)
{
	return irqs_asserted() != 0 || fake_machine_act_at_wfi(clock_now().v, &host_rang);
}

uint32_t board_irq_take(void)
{
	uint32_t irqs = irqs_asserted();
	fake_cpu->overflowed = is_spurious = host_rang = false;
	if (irqs & BOARD_IRQ_VTIMER)
		fake_cpu->vtimer_active = true;
	if (irqs & BOARD_IRQ_MAINTENANCE)
		fake_cpu->maintenance_active = true;
	return irqs;
}

void board_vtimer_set_active(bool active)
{
	fake_cpu->vtimer_active = active;
}

void board_maintenance_rearm(void)
{
	fake_cpu->maintenance_active = false;
}

void board_doorbell_ring(void)
{
}

uint8_t board_bell(void)
{
	return (uint8_t)fake_mailbox()->bell;
}

/* Real time goes on while hv sleeps, so the virtual timer's interrupt comes if the timer is on at all. */
void board_clock_jump(uint64_t ticks)
{
	(void)ticks;
}

uint32_t board_wait(void)
{
	uint32_t irqs = fake_machine_sleep() | board_irq_take();
	if (!alarm_only && (fake_cpu->el1.cntv_ctl_el0 & 3) == 1 && !fake_cpu->vtimer_active) {
		fake_cpu->vtimer_active = true;
		irqs |= BOARD_IRQ_VTIMER;
	}
	return irqs;
}

void board_host_let_in(void)
{
	host_let_in = true;
}

void board_interrupts_set(enum board_interrupts interrupts)
{
	alarm_only = interrupts != BOARD_ALL;
}

void board_init(enum board_interrupts interrupts)
{
	board_interrupts_set(interrupts);
}

struct board_map board_map(void)
{
	return (struct board_map){0, 0};
}

void arch_ich_restore(const struct vcpu_state *vcpu)
{
	fake_cpu->el1.ich_vmcr = vcpu->ich_vmcr;
	fake_cpu->el1.ich_ap0r0 = vcpu->ich_ap0r0;
	fake_cpu->el1.ich_ap1r0 = vcpu->ich_ap1r0;
	arch_ich_load(vcpu);
}

void arch_page_copy(void *to, const void *from, uint64_t lines)
{
	for (size_t at = 0; at < 4096; at += 64, lines >>= 1)
		memcpy((uint8_t *)to + at, (const uint8_t *)from + at, (lines & 1) * 64);
}

void arch_copy(void *to, const void *from, size_t bytes)
{
	memcpy(to, from, bytes);
}

void arch_page_written(ipa_t page)
{
	cr_assert_lt(page.v - GUEST_RAM_IPA, FAKE_RAM_BYTES);
}

void arch_page_execute_only(ipa_t page, bool only)
{
	cr_assert_lt(page.v - GUEST_RAM_IPA, FAKE_RAM_BYTES);
	execute_only[(page.v - GUEST_RAM_IPA) / PAGE_BYTES] = only;
}

void arch_code_write(volatile uint32_t *at, uint32_t word)
{
	*at = word;
}

void arch_tlb_forget(void)
{
	memcpy(execute_only_known, execute_only, sizeof(execute_only));
}

bool fake_is_execute_only(uint64_t address)
{
	uint64_t offset = address - GUEST_RAM_IPA;
	return offset < FAKE_RAM_BYTES && execute_only_known[offset / PAGE_BYTES];
}

void arch_yield(void)
{
	fake_machine_yield();
}

/* ---- running the guest ---- */

/* How many plain instructions may pass before something has to be looked at. */
static uint64_t run_max(void)
{
	uint64_t counter = fake_cpu->counter, max = counter == 0 ? UINT64_MAX : 0 - counter;
	uint64_t act = fake_machine_next_act() - clock_now().v;
	uint64_t timer_ns = fake_cpu->el1.cntv_cval_el0 * GUEST_NS_PER_TICK;
	if (fake_machine_next_act() != UINT64_MAX && act < max)
		max = act;
	if ((fake_cpu->el1.cntv_ctl_el0 & 3) == 1 && timer_ns > entry_ns + entry_retired &&
	    timer_ns - (entry_ns + entry_retired) < max)
		max = timer_ns - (entry_ns + entry_retired);
	return max == 0 ? 1 : max;
}

enum arch_exit arch_enter(struct vcpu_state *vcpu, ns_t counted)
{
	uint64_t retired = 0;
	bool trapped = false;
	if (fake_mailbox()->state != HV_STATE_RUNNING || ++entries > ENTRIES_MAX)
		fake_machine_end(FAKE_STUCK);
	fake_cpus_entered(vcpu);
	entry_ns = counted.v;
	entry_retired = 0;
	fake_cpu->monitor = false;
	if (fake_config->virtual_first)
		fake_guest_irq(vcpu);
	while (!trapped) {
		if (irq_now())
			return ARCH_EXIT_IRQ;
		fake_guest_irq(vcpu);
		if (++steps > STEPS_MAX)
			fake_machine_end(FAKE_STUCK);
		trapped = fake_guest_step(vcpu, entry_ns + entry_retired, run_max(), &retired);
		fake_clock_count(retired);
		entry_retired += retired;
	}
	return (fake_cpu->syndrome.esr >> 26 & 63) == 0x2f ? ARCH_EXIT_SERROR : ARCH_EXIT_SYNC;
}

struct arch_syndrome arch_syndrome_read(void)
{
	return fake_cpu->syndrome;
}

bool arch_translate(va_t va, uint64_t pstate, ipa_t *ipa)
{
	uint32_t *word = fake_ram_word(va.v);
	(void)pstate;
	ipa->v = va.v;
	if (fake_guest_is_plain(va.v))
		return true;
	if (word && fake_cpu->word != 0)
		*word = fake_cpu->word;
	return word && fake_cpu->word != 0;
}

/* ---- registers ---- */

void arch_el1_save(struct vcpu_state *vcpu)
{
#define EL1_REG(field, reg) vcpu->field = fake_cpu->el1.field;
#include "hv/arch/el1.def"
#undef EL1_REG
	arch_vtimer_save(vcpu);
	arch_simd_save(vcpu->v);
}

void arch_el1_load(const struct vcpu_state *vcpu)
{
#define EL1_REG(field, reg) fake_cpu->el1.field = vcpu->field;
#include "hv/arch/el1.def"
#undef EL1_REG
	fake_cpu->el1.cntv_ctl_el0 = vcpu->cntv_ctl_el0;
	arch_simd_load(vcpu->v);
}

void arch_el1_reset(struct vcpu_state *vcpu)
{
	vcpu->sctlr_el1 = UINT64_C(0x30d00800);
	vcpu->vbar_el1 = FAKE_VBAR;
}

void arch_el1_load_exception(const struct vcpu_state *vcpu)
{
	fake_cpu->el1.elr_el1 = vcpu->elr_el1;
	fake_cpu->el1.spsr_el1 = vcpu->spsr_el1;
	fake_cpu->el1.esr_el1 = vcpu->esr_el1;
	fake_cpu->el1.far_el1 = vcpu->far_el1;
}

uint64_t arch_vbar_el1(void)
{
	return fake_cpu->el1.vbar_el1;
}

uint64_t arch_sctlr_el1(void)
{
	return fake_cpu->el1.sctlr_el1;
}

uint64_t arch_elr_el1(void)
{
	return fake_cpu->el1.elr_el1;
}

uint64_t arch_spsr_el1(void)
{
	return fake_cpu->el1.spsr_el1;
}

void arch_spsr_el1_write(uint64_t value)
{
	fake_cpu->el1.spsr_el1 = value;
}

void arch_vtimer_save(struct vcpu_state *vcpu)
{
	vcpu->cntv_ctl_el0 = fake_cpu->el1.cntv_ctl_el0;
	vcpu->cntv_cval_el0 = fake_cpu->el1.cntv_cval_el0;
}

void arch_vtimer_load(const struct vcpu_state *vcpu)
{
	fake_cpu->el1.cntv_ctl_el0 = vcpu->cntv_ctl_el0;
}

void arch_debug_load(const struct vcpu_state *vcpu)
{
	fake_cpu->el1.mdscr_el1 = vcpu->mdscr_el1;
	memcpy(fake_cpu->el1.dbgbvr, vcpu->dbgbvr, sizeof(vcpu->dbgbvr));
	memcpy(fake_cpu->el1.dbgbcr, vcpu->dbgbcr, sizeof(vcpu->dbgbcr));
	memcpy(fake_cpu->el1.dbgwvr, vcpu->dbgwvr, sizeof(vcpu->dbgwvr));
	memcpy(fake_cpu->el1.dbgwcr, vcpu->dbgwcr, sizeof(vcpu->dbgwcr));
}

void arch_ich_save(struct vcpu_state *vcpu)
{
	vcpu->ich_hcr = fake_cpu->el1.ich_hcr;
	vcpu->ich_vmcr = fake_cpu->el1.ich_vmcr;
	vcpu->ich_ap0r0 = fake_cpu->el1.ich_ap0r0;
	vcpu->ich_ap1r0 = fake_cpu->el1.ich_ap1r0;
	memcpy(vcpu->ich_lr, fake_cpu->el1.ich_lr, sizeof(vcpu->ich_lr));
}

void arch_ich_load(const struct vcpu_state *vcpu)
{
	memcpy(fake_cpu->el1.ich_lr, vcpu->ich_lr, sizeof(vcpu->ich_lr));
	fake_cpu->el1.ich_hcr = vcpu->ich_hcr;
}

void arch_pmuserenr_load(uint64_t value)
{
	fake_cpu->el1.pmuserenr_el0 = value;
}

uint64_t arch_sp_read(uint64_t pstate)
{
	return pstate & 1 ? fake_cpu->el1.sp_el1 : fake_cpu->el1.sp_el0;
}

void arch_sp_write(uint64_t pstate, uint64_t value)
{
	*(pstate & 1 ? &fake_cpu->el1.sp_el1 : &fake_cpu->el1.sp_el0) = value;
}

void arch_simd_save(uint64_t v[64])
{
	memcpy(v, fake_cpu->el1.v, sizeof(fake_cpu->el1.v));
}

void arch_simd_load(const uint64_t v[64])
{
	memcpy(fake_cpu->el1.v, v, sizeof(fake_cpu->el1.v));
}

uint64_t arch_counter_frequency(void)
{
	return GUEST_COUNTER_HZ;
}

uint32_t arch_fingerprint(uint64_t fingerprint[HV_FINGERPRINT_COUNT])
{
	for (uint32_t i = 0; i < FAKE_FINGERPRINT_COUNT; i++)
		fingerprint[i] = FAKE_FINGERPRINT + i;
	return FAKE_FINGERPRINT_COUNT;
}

/* ---- what a host process has no use for ---- */

void mmu_map(uint64_t ram_start, uint64_t ram_end, uint64_t device_start, uint64_t device_end)
{
	(void)ram_start;
	(void)ram_end;
	(void)device_start;
	(void)device_end;
}

void pagetable_init(uint64_t pool_pa, uint64_t pool_bytes)
{
	(void)pool_pa;
	(void)pool_bytes;
}

void stage2_map_code(ipa_t ipa, pa_t pa, uint64_t bytes)
{
	(void)ipa;
	(void)pa;
	(void)bytes;
}

void stage2_map_zeros(ipa_t ipa, uint64_t bytes)
{
	(void)ipa;
	(void)bytes;
}

void stage2_init(ipa_t ipa, pa_t pa, uint64_t bytes)
{
	(void)ipa;
	(void)pa;
	(void)bytes;
}
