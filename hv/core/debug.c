/* Debug exceptions: the debugger's end the run, the guest's own are passed on to EL1.
 *
 *      exit ──> one of the debugger's points? ──yes──> stop, or go on where its condition is false (debug_pass.c)
 *                        │ no
 *                        v
 *               unmasked at EL1? ──yes──> an event, and EL1 takes the exception
 *                        │ no
 *                        v
 *               stepped over, without an event
 *
 * 1. With debug exceptions routed to EL2 (MDCR_EL2.TDE) the CPU takes them even where EL1 has them masked (PSTATE.D,
 *    MDSCR_EL1.KDE, the OS lock; Arm ARM D2.4). Hardware without hv would not have taken those, so hv hides them: it
 *    takes the guest over the one instruction by a software step of its own, with the guest's points out of the CPU.
 *    These exits come again in a replay and need no event.
 * 2. The CPU's debug registers are the guest's and the debugger's, merged (points_merge); struct vcpu_state has the
 *    guest's own, and nothing of the debugger's is ever seen in them. */
#include "hv/core/debug.h"
#include "hv/abi/esr.h"
#include "hv/abi/field.h"
#include "hv/abi/pstate.h"
#include "hv/arch/arch.h"
#include "hv/arch/hot.h"
#include "hv/core/debug_hit.h"
#include "hv/core/debug_pass.h"
#include "hv/core/debug_regs.h"
#include "hv/core/debug_step.h"
#include "hv/core/exclusive.h"
#include "hv/core/gate.h"
#include "hv/core/hv.h"
#include "hv/core/inject.h"
#include "hv/core/standstill.h"
#include <stddef.h>

#define DBGBCR_BAS_HI 8
#define DBGBCR_BAS_LO 5
/* enabled; PMC or PAC = 3: EL1 and EL0 */
#define DBGCR_EL1_AND_EL0 (DBGCR_E | UINT64_C(3) << 1)

static bool is_loaded[GUEST_VCPU_MAX]; /* debug registers other than after a reset are in the vCPU's CPU, maybe */

/* A free breakpoint or watchpoint of `count`, or `count`. */
static uint32_t slot_free(const uint64_t control[], uint32_t count)
{
	uint32_t slot = 0;
	while (slot < count && control[slot] & DBGCR_E)
		slot++;
	return slot;
}

/* Bytes within a doubleword by BAS, a larger range by MASK (Arm ARM D17.3.11). */
static uint64_t range_bits(const volatile struct hv_debug_point *point)
{
	uint64_t bytes = point->bytes, mask = 0;
	if (bytes <= 8)
		return FIELD_PUT(DBGWCR_BAS, (BIT(bytes) - 1) << (point->address & 7));
	while (BIT(mask) < bytes)
		mask++;
	return FIELD_PUT(DBGWCR_BAS, 0xff) | FIELD_PUT(DBGWCR_MASK, mask);
}

/* False: there is no room. The CPU knows words, and the upper halfword of one, where a T32 instruction may be (Arm ARM
 * D17.3.2); no instruction is at an odd address. */
static bool breakpoint_place(struct vcpu_state *vcpu, uint64_t address)
{
	uint32_t slot = slot_free(vcpu->dbgbcr, GUEST_BREAKPOINT_COUNT);
	if (slot == GUEST_BREAKPOINT_COUNT)
		return false;
	if (address & 1)
		return true;
	vcpu->dbgbvr[slot] = address & ~UINT64_C(3);
	vcpu->dbgbcr[slot] = DBGCR_EL1_AND_EL0 | FIELD_PUT(DBGBCR_BAS, address & 2 ? 0xc : 0xf);
	return true;
}

/* False: there is no room. */
static bool point_place(struct vcpu_state *vcpu, const volatile struct hv_debug_point *point)
{
	if (point->bytes == 0)
		return breakpoint_place(vcpu, point->address);
	uint32_t slot = slot_free(vcpu->dbgwcr, GUEST_WATCHPOINT_COUNT);
	if (slot == GUEST_WATCHPOINT_COUNT)
		return false;
	vcpu->dbgwvr[slot] = point->address & ~UINT64_C(7);
	vcpu->dbgwcr[slot] = DBGCR_EL1_AND_EL0 | FIELD_PUT(DBGWCR_LSC, point->access) | range_bits(point);
	return true;
}

/* The debugger's points, as many as there is room for; false: that is not all. */
static bool points_place(struct vcpu_state *vcpu)
{
	bool all = true;
	for (uint64_t i = 0; i < hv.mailbox->debug_point_count; i++) {
		if (!debug_pass_leaves_out(&hv.mailbox->debug_points[i]))
			all &= point_place(vcpu, &hv.mailbox->debug_points[i]);
		vcpu->mdscr_el1 |= MDSCR_MDE;
	}
	return all;
}

static void own_points_clear(struct vcpu_state *vcpu)
{
	for (uint32_t i = 0; i < GUEST_BREAKPOINT_COUNT; i++)
		vcpu->dbgbcr[i] &= ~DBGCR_E;
	for (uint32_t i = 0; i < GUEST_WATCHPOINT_COUNT; i++)
		vcpu->dbgwcr[i] &= ~DBGCR_E;
	vcpu->mdscr_el1 &= ~MDSCR_MDE;
}

/* The guest's debug registers with the debugger's points in them. */
static struct vcpu_state points_merge(void)
{
	struct vcpu_state merged = *hv_vcpu();
	hv.own_points_out = !points_place(&merged) && !gate_debug_due();
	if (hv.own_points_out) {
		merged = *hv_vcpu();
		own_points_clear(&merged);
		points_place(&merged);
	}
	return merged;
}

/* No debug exception can come: nobody has points, and the guest does not step itself. */
static bool is_plain(void)
{
	return hv.mailbox->debug_point_count == 0 && hv_vcpu()->mdscr_el1 == 0;
}

HV_APART void debug_load(void)
{
	struct vcpu_state merged = points_merge();
	arch_debug_load(&merged);
	is_loaded[hv.guest.current] = !is_plain();
}

void debug_turn(void)
{
	hv.own_points_out = false;
	if (!is_plain() || is_loaded[hv.guest.current])
		debug_load();
}

void debug_update(void)
{
	bool back = debug_pass_ends();
	if (hv.own_points_out && gate_debug_due())
		back = debug_hit(&(struct debug_cause){.is_watchpoint = false}) == DEBUG_HIT_NONE;
	if (back)
		debug_load();
}

/* Whether EL1 would take a debug exception now (Arm ARM D2.4). */
static bool unmasked(void)
{
	const struct vcpu_state *vcpu = hv_vcpu();
	if (vcpu->oslsr_el1 & OSLSR_OSLK)
		return false;
	if (FIELD_GET(vcpu->pstate, PSTATE_M) == 0)
		return true;
	return vcpu->mdscr_el1 & MDSCR_KDE && !(vcpu->pstate & PSTATE_D);
}

static enum exit_answer pass_on(const struct exit *exit, bool has_far)
{
	exclusive_drop();
	gate_trap(EVENT_DEBUG_EXCEPTION, exit->esr, has_far ? exit->far.v : 0, 0, false);
	bool goes_on = inject_debug(exit->esr, exit->far, has_far);
	debug_load(); /* the guest's points may have to make room again */
	return standstill_injected(goes_on);
}

enum exit_answer debug_brk(const struct exit *exit)
{
	return pass_on(exit, false);
}

/* Machine version 1 let the store of an exclusive sequence fail where an exit that EL1 had masked came into it. */
static bool completes_exclusives(void)
{
	return hv.boot->machine_version > 1;
}

enum exit_answer debug_breakpoint(const struct exit *exit)
{
	struct vcpu_state stepping = *hv_vcpu();
	struct load_store here;
	bool is_watchpoint = FIELD_GET(exit->esr, ESR_EC) == EC_WATCHPOINT;
	struct debug_cause cause = {exit, is_watchpoint, is_watchpoint && load_store_here(&here) ? &here : NULL};
	bool back = debug_pass_ends();
	switch (debug_hit(&cause)) {
	case DEBUG_HIT_STOPPED:
		return EXIT_STOP;
	case DEBUG_HIT_PASSED:
		debug_load();
		return EXIT_RESUME;
	case DEBUG_HIT_NONE:
	default:
		break;
	}
	if (back)
		debug_load();
	/* A breakpoint comes before the alarm of its position, which is for the place before the exception. */
	if (gate_end_due())
		return EXIT_STOP;
	if (gate_exit_agrees())
		return EXIT_RESUME;
	if (cause.access && debug_hit_is_false(exit)) {
		exclusive_step_first();
		debug_step_begin(&stepping);
		return EXIT_RESUME;
	}
	if (unmasked())
		return pass_on(exit, is_watchpoint);
	if (completes_exclusives())
		exclusive_step_first();
	else
		exclusive_drop();
	own_points_clear(&stepping);
	if (!cause.access) /* else it accesses nothing that the debugger watches, but might come here again and again */
		points_place(&stepping);
	debug_step_begin(&stepping);
	return EXIT_RESUME;
}

/* ERET takes PSTATE.SS from SPSR_EL1 only where the level that it leaves is not stepped (Arm ARM D2.12.4). EL1 would
 * not have been; here it was, so hv does it when the guest arrives where EL1 steps it. */
static bool eret_starts_step(void)
{
	return hv_vcpu()->stepping & VCPU_MASKED_STEP && arch_spsr_el1() & PSTATE_SS;
}

/* An exception came while hv stepped the guest. The machine counts that step as an instruction, and SPSR_EL1 shows it:
 * the guest shall find what it would without. */
static void excepted(void)
{
	hv.guest.n--;
	arch_spsr_el1_write(arch_spsr_el1() & ~PSTATE_SS);
}

/* The end of passing over a breakpoint or watchpoint, unless that was within an exclusive sequence: then the guest is
 * taken on to its end, since each exit clears the monitor. At a vector it is taken on, too: its position is also that
 * of the place before the exception. */
static enum exit_answer passed(void)
{
	bool at_vector = exclusive_step_end();
	if (at_vector)
		excepted();
	else if (!exclusive_is_open())
		return EXIT_RESUME;
	exclusive_step_begin();
	struct vcpu_state stepping = points_merge();
	if (!unmasked()) {
		stepping = *hv_vcpu();
		own_points_clear(&stepping);
		points_place(&stepping);
	}
	debug_step_begin(&stepping);
	if (!at_vector)
		hv_vcpu()->stepping |= VCPU_FOLLOWING;
	return EXIT_RESUME;
}

/* A step of the guest's that EL1 has masked. */
static void masked_step(void)
{
	hv_vcpu()->stepping |= VCPU_MASKED_STEP;
	if (!completes_exclusives()) {
		exclusive_drop();
		return;
	}
	exclusive_step_end();
	exclusive_step_begin();
}

enum exit_answer debug_step(const struct exit *exit)
{
	if (!(hv_vcpu()->mdscr_el1 & MDSCR_SS))
		return passed();
	if (unmasked() && !eret_starts_step()) {
		hv_vcpu()->stepping &= ~(uint32_t)VCPU_MASKED_STEP;
		return pass_on(exit, false);
	}
	if (!unmasked()) {
		masked_step();
	} else {
		hv_vcpu()->stepping &= ~(uint32_t)VCPU_MASKED_STEP;
		exclusive_drop();
	}
	hv_vcpu()->pstate |= PSTATE_SS;
	return EXIT_RESUME;
}

void debug_pass_end(void)
{
	if (debug_step_end())
		debug_load();
}

void debug_interrupted(void)
{
	debug_pass_end();
	exclusive_drop();
}
