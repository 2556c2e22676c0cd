/* The run loop: enter the guest, act on its exit, settle, enter again.
 *
 *        ┌────────────────────────────────────────────────────────────────────┐
 *        v                                                                    │
 *      enter ──trap──> exit_dispatch ──> at rest? ──yes───────────────────────┤
 *        │                                  │ no                              │
 *        └──interrupt─> take, defer? ───────┴─> settle: exit, devices, turn, inject, idle
 *
 * 1. Everything that settling does is a function of the position and of gate events, so it happens alike in a replay.
 * 2. Places that share a position are no places for an event, because which of them a replay finds is not sure: before
 *    and after taking a virtual interrupt, or an exception whose instruction does not retire (a page fault). So,
 *    recording, an interrupt that comes before the guest has retired an instruction since its entry, while a virtual
 *    interrupt is about to be taken, at an exception vector, or while hv lets the guest pass over a masked breakpoint,
 *    is put off by one instruction. Nothing that the guest could see is looked at or changed there. A replay's alarm
 *    comes at one place always.
 * 3. The virtual GIC is folded at exits that the recording has, never at a stop of a debugger: when it finds the
 *    guest's end of interrupt decides when the next one comes.
 * 4. Most exits are traps that leave nothing to settle, and the guest goes on after them at once: only where settling
 *    would change nothing at all, so that whether it is skipped need not be the same in a replay. */
#include "hv/core/run.h"
#include "hv/arch/arch.h"
#include "hv/arch/hot.h"
#include "hv/board/board.h"
#include "hv/core/debug.h"
#include "hv/core/debug_pass.h"
#include "hv/core/debug_step.h"
#include "hv/core/exclusive.h"
#include "hv/core/exit.h"
#include "hv/core/gate.h"
#include "hv/core/guest_clock.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"
#include "hv/core/patch.h"
#include "hv/core/spin.h"
#include "hv/core/standstill.h"
#include "hv/core/timers.h"
#include "hv/core/turn.h"
#include "hv/core/vcpu.h"
#include "hv/core/vector.h"
#include "hv/core/virtio_bus.h"
#include "hv/dev/pl011.h"

/* Only what was taken is settled: a replay may not have a place for more. */
enum taken { TAKEN, TAKEN_WAITS, TAKEN_SPINS, PUT_OFF, PASSED };

/* Beside BOARD_IRQ_*: an interrupt that was gone before it was acknowledged. The exit is an event all the same. */
enum { IRQ_SPURIOUS = 1 << 30 };

/* No guest comes so far (a century at 1 ns), and the clock's counter has no room for more. */
#define ALARM_INSNS_MAX (UINT64_MAX >> 2)

static uint32_t exit_reason(uint32_t irqs)
{
	if (irqs & BOARD_IRQ_VTIMER)
		return EXIT_REASON_VTIMER;
	if (irqs & BOARD_IRQ_MAINTENANCE)
		return EXIT_REASON_MAINTENANCE;
	if (irqs & BOARD_IRQ_HOST)
		return EXIT_REASON_HOST;
	if (irqs & BOARD_IRQ_ALARM)
		return EXIT_REASON_ALARM;
	return irqs & IRQ_SPURIOUS ? EXIT_REASON_SPURIOUS : 0;
}

static void input_poll(void)
{
	uint8_t byte;
	while (pl011_can_receive(&hv.guest.uart) && gate_input((ipa_t){GUEST_UART_IPA}, &byte)) {
		interrupts_fold(); /* as at the alarm that stands for it in a replay */
		pl011_receive(&hv.guest.uart, byte);
		interrupts_set_level(GUEST_INTID_UART, pl011_line(&hv.guest.uart));
	}
}

static HV_APART enum arch_exit enter_storing(void)
{
	exclusive_store_put();
	enum arch_exit kind = arch_enter(hv_vcpu(), guest_clock_ns());
	exclusive_store_take_back();
	return kind;
}

static enum arch_exit enter(void)
{
	return exclusive_stores ? enter_storing() : arch_enter(hv_vcpu(), guest_clock_ns());
}

static void injected(uint32_t vcpu, uint32_t intid, uint8_t priority)
{
	(void)vcpu;
	gate_inject(intid, priority);
}

static HV_APART void turn_give(uint32_t to, enum switch_reason why)
{
	hv.guest.turn.waits[hv.guest.current] = why == SWITCH_REASON_WAITS;
	hv.guest.turn.waits[to] = 0;
	interrupts_fold();
	exclusive_drop();
	vcpu_turn(to);
	timers_sample();
	debug_turn();
}

/* Whether it is another vCPU's turn from here on. */
static bool turn_goes(enum turn_cause cause)
{
	uint32_t to = 0;
	enum switch_reason why = SWITCH_REASON_SLICE;
	if (!gate_turn(cause, &to, &why))
		return false;
	turn_give(to, why);
	return true;
}

/* Where no time has passed nothing is due that was not before, and there is no event for it. */
static void idle_pass(void)
{
	uint64_t jump = gate_idle(timers_idle_deadline()).v;
	if (jump == 0)
		return;
	hv.guest.idle_ns += jump;
	guest_clock_jumped();
	timers_sample();
	virtio_bus_complete();
}

/* Brings everything that stands at this position to rest, so that the guest can go on. A replay that is to stop at
 * this position stops in the first turn, so only there is a place for a keyframe. */
static void settle(enum taken taken)
{
	bool waits = taken == TAKEN_WAITS, spins = taken == TAKEN_SPINS;
	for (bool first = true;; first = false) {
		bool exit = gate_exit(exit_reason(interrupts_taken()));
		if (exit) {
			debug_interrupted();
			interrupts_fold();
			timers_sample();
		} else if (gate_note_due()) {
			interrupts_fold();
		}
		interrupts_taken_forget();
		if (exit) {
			virtio_bus_complete(); /* hv may sleep in it: what it takes meanwhile is for the next turn */
			spin_look();
		}
		input_poll();
		virtio_bus_serve();
		bool idle = waits && (!interrupts_pending() || hv_vcpu()->power == VCPU_OFF);
		if (turn_goes(idle ? TURN_WAITS : spins ? TURN_SPINS : exit ? TURN_EXIT : TURN_TRAP))
			idle = waits = false;
		else if (spins && gate_idle_due(false))
			interrupts_fold(); /* as at the note that stands for it in a replay */
		interrupts_flush(injected);
		if (gate_end_due())
			return;
		if (exit && first)
			gate_keyframe();
		if (!gate_idle_due(idle))
			return;
		idle_pass();
		spins = false; /* it has waited, or another goes on */
	}
}

/* `set` is where it stands. */
static HV_APART void alarm_move(insn_t set, insn_t to)
{
	if (to.v - hv.guest.n > ALARM_INSNS_MAX)
		to.v = UINT64_MAX;
	if (to.v == set.v)
		return;
	if (to.v == UINT64_MAX)
		clock_alarm_cancel();
	else
		clock_alarm_set(to);
}

static void alarm_update(void)
{
	if (hv.ended)
		return;
	insn_t set = clock_alarm();
	insn_t stop = gate_next_stop(timers_alarm_deadline(), set);
	insn_t pass = debug_pass_alarm();
	alarm_move(set, pass.v < stop.v ? pass : stop);
}

static HV_APART void come_to_rest(enum taken taken)
{
	settle(taken);
	debug_update();
	alarm_update();
}

/* Whether come_to_rest would find nothing to do: the exit was a trap whose handler changed nothing that it acts on. The
 * alarm, which a trap may have moved along, is brought to where alarm_update would. */
static bool is_at_rest(void)
{
	bool points_out = hv.own_points_out || debug_pass_alarm().v != UINT64_MAX;
	if (interrupts_taken() != 0 || !interrupts_are_loaded() || points_out)
		return false;
	insn_t set = clock_alarm();
	insn_t stop = gate_stop_at_rest(set);
	if (stop.v == 0)
		return false;
	if (stop.v != set.v)
		alarm_move(set, stop);
	return true;
}

/* A place that shares its position with another: the guest may be about to take a virtual interrupt, or has just taken
 * an exception whose instruction did not retire, to EL1 or to EL2. */
static bool place_is_unsure(void)
{
	return vector_is_here() || debug_step_comes_again() || interrupts_deliverable();
}

static HV_APART enum taken interrupt_take(uint64_t entry_n)
{
	hv.guest.n = clock_now().v;
	uint32_t irqs = board_irq_take();
	interrupts_taken_add(irqs);
	bool sure = hv.guest.n != entry_n && !place_is_unsure();
	if (!gate_stops_anywhere() || sure || standstill_stops(irqs, entry_n)) {
		interrupts_taken_add(irqs == 0 ? IRQ_SPURIOUS : 0);
		return TAKEN;
	}
	if (interrupts_taken() != 0)
		clock_alarm_set((insn_t){hv.guest.n + 1});
	return PUT_OFF;
}

static HV_APART enum taken trap_taken(enum exit_answer answer)
{
	switch (answer) {
	case EXIT_WAIT:
		return TAKEN_WAITS;
	case EXIT_SPIN:
		return TAKEN_SPINS;
	case EXIT_AGAIN:
		return PASSED;
	case EXIT_PASS:
		return interrupts_taken() == 0 ? PASSED : TAKEN;
	case EXIT_RESUME:
	case EXIT_SKIP:
	case EXIT_STOP:
	case EXIT_REFUSED:
	default:
		return debug_step_comes_again() && gate_stops_anywhere() ? PUT_OFF : TAKEN;
	}
}

/* Only debug exceptions are passed over, and they do not skip their instruction. */
static enum taken trap_take(void)
{
	enum exit_answer answer = exit_dispatch();
	return answer == EXIT_SKIP ? TAKEN : trap_taken(answer);
}

static HV_APART enum taken serror_take(void)
{
	hv_text("SError from the machine, ESR_EL2 =", arch_syndrome_read().esr);
	gate_end(END_REASON_UNSUPPORTED);
	return TAKEN;
}

static enum taken exit_take(enum arch_exit kind, uint64_t entry_n)
{
	switch (kind) {
	case ARCH_EXIT_SYNC:
		return trap_take();
	case ARCH_EXIT_IRQ:
	case ARCH_EXIT_FIQ:
		return interrupt_take(entry_n);
	case ARCH_EXIT_SERROR:
	default:
		return serror_take();
	}
}

/* Whether the guest goes on from here at once. */
static bool goes_on(enum taken taken)
{
	if (taken == PUT_OFF || taken == PASSED)
		return true;
	hv.mailbox->now_n = hv.guest.n;
	hv.mailbox->now_ns = hv_now().v;
	hv.mailbox->exit_count++;
	return taken == TAKEN && is_at_rest();
}

HV_WHOLE void run(void)
{
	patch_show();
	come_to_rest(TAKEN);
	while (!hv.ended) {
		enum taken taken;
		interrupts_load();
		do {
			uint64_t entry_n = hv.guest.n;
			taken = exit_take(enter(), entry_n);
		} while (goes_on(taken));
		come_to_rest(taken);
	}
}
