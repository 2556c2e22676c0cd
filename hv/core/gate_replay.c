/* The replaying half of the gate: values and positions come from the trace, and everything is checked against it.
 *
 * 1. The trace's next event is always known before the guest is entered.
 * 2. For a trap no alarm is needed: the guest comes to it on its own. One is set so far after it that a guest which
 * lost its way is stopped, never so near that it could stop a guest which did not. But where the guest's own
 * breakpoints had to make room for a debugger's, the alarm stops it before the exception that they are to cause. */
#include "hv/abi/esr.h"
#include "hv/abi/field.h"
#include "hv/arch/hot.h"
#include "hv/arch/panic.h"
#include "hv/core/gate_half.h"
#include "hv/core/hv.h"
#include "hv/core/publish.h"
#include "hv/core/ring.h"
#include "hv/core/vector.h"
#include <stddef.h>

#define LOST_INSNS UINT64_C(0x1000000)

static uint64_t exit_n = UINT64_MAX; /* of the last EXIT */

/* The trace's next event, or NULL at its end. Sleeps until the host has provided it. */
static HV_APART const struct event *event_await(void)
{
	uint64_t tail = hv.mailbox->event_tail;
	for (;;) {
		bool last = hv.mailbox->events_ended;
		__atomic_thread_fence(__ATOMIC_ACQUIRE); /* the head is at least as new as the flag */
		uint64_t count = ring_index_load(&hv.mailbox->event_head) - tail;
		CHECK(count <= hv.boot->event_ring_count);
		if (count != 0) {
			ring_events_from(tail, count);
			return ring_events.next;
		}
		if (last)
			return NULL;
		ring_wait_announce();
		if (ring_index_load(&hv.mailbox->event_head) == tail && !hv.mailbox->events_ended)
			ring_wait();
	}
}

static const struct event *next_event(void)
{
	return ring_events.next != ring_events.end ? ring_events.next : event_await();
}

static void passed(void)
{
	ring_events.next++;
	ring_index_store(&hv.mailbox->event_tail, hv.mailbox->event_tail + 1);
}

static HV_APART void diverged(const struct event *actual)
{
	hv.mailbox->expected = *next_event();
	hv.mailbox->actual = *actual;
	publish_end(HV_STATE_DIVERGED);
}

/* The small fields, as one number. */
static uint32_t form(const struct event *event)
{
	return event->kind | (uint32_t)event->vcpu << 16 | (uint32_t)event->size << 24;
}

static bool event_equal(const struct event *a, const struct event *b, bool any_n)
{
	return (any_n || a->n == b->n) && a->pc == b->pc && a->address == b->address && a->value == b->value &&
	       form(a) == form(b);
}

/* An incomplete trace may end between two events of one position. */
static HV_APART void trace_ended(void)
{
	hv.mailbox->stop = gate_half_stop();
	publish_end(HV_STATE_ENDED);
}

/* Checks the event against the trace's next and passes on; false: they differ. `inexact`: takes n from the trace. */
static bool agrees(const struct event *actual, bool inexact)
{
	const struct event *expected = next_event();
	if (!expected) {
		trace_ended();
		return true;
	}
	if (!event_equal(expected, actual, inexact))
		return false;
	if (inexact)
		hv.guest.n = expected->n;
	if (actual->kind == EVENT_EXIT)
		exit_n = expected->n;
	passed();
	return true;
}

static HV_APART void differ(enum event_kind kind, uint64_t address, uint64_t value, uint8_t size)
{
	struct event event;
	gate_half_event(&event, kind, address, value, size);
	diverged(&event);
}

void replay_trap(enum event_kind kind, uint64_t address, uint64_t value, uint8_t size, bool inexact)
{
	struct event event;
	gate_half_event(&event, kind, address, value, size);
	if (!agrees(&event, inexact))
		differ(kind, address, value, size);
}

void replay_note(enum event_kind kind, uint64_t address, uint64_t value)
{
	replay_trap(kind, address, value, 0, false);
}

static const struct event *next_here(enum event_kind kind)
{
	const struct event *next = next_event();
	return next && next->kind == kind && next->n == hv.guest.n ? next : NULL;
}

bool replay_exit(uint32_t *reason)
{
	const struct event *next = next_here(EVENT_EXIT);
	if (next)
		*reason = (uint32_t)next->address;
	return next != NULL;
}

bool replay_input(uint8_t *byte)
{
	const struct event *next = next_here(EVENT_INPUT);
	if (next)
		*byte = (uint8_t)next->value;
	return next != NULL;
}

static HV_APART void diverged_here(void)
{
	struct event here = {.n = hv.guest.n, .pc = hv_vcpu()->pc, .vcpu = (uint8_t)hv.guest.current};
	diverged(&here);
}

/* What the guest asks for is what the recording had here; where the host could not give it, a DISK_ERROR follows, or
 * an ENTROPY without bytes. What brings no bytes needs no host. */
bool replay_ask(enum event_kind kind, struct hv_ask *ask)
{
	const struct event *next = next_here(kind);
	if (!next) {
		if (!next_event())
			trace_ended();
		else if (!next_here(EVENT_DISK_ERROR))
			diverged_here();
		return false;
	}
	if (ask->kind == HV_ASK_DISK_FLUSH)
		return true;
	if (ask->kind == HV_ASK_ENTROPY && event_data_bytes(next) == 0)
		return false;
	if (ask->kind == HV_ASK_PACKET)
		ask->bytes = event_data_bytes(next);
	return ring_ask(ask);
}

bool replay_packet(uint32_t transport)
{
	const struct event *next = next_here(EVENT_PACKET_IN);
	return next && next->address == transport;
}

/* A trace may say what no recording does. */
bool replay_turn(enum turn_cause cause, uint32_t *to, enum switch_reason *why)
{
	const struct event *next = next_here(EVENT_SWITCH);
	(void)cause;
	if (!next)
		return false;
	if (next->address >= hv.guest.vcpu_count || next->address == hv.guest.current ||
	    hv.guest.vcpu[next->address].power != VCPU_ON || next->value == 0 || next->value >= SWITCH_REASON_COUNT) {
		diverged_here();
		return false;
	}
	*to = (uint32_t)next->address;
	*why = (enum switch_reason)next->value;
	return true;
}

/* A guest that waits with nothing pending idled here in the recording, or was interrupted (its WFI may not have trapped
 * then), or ended. One that was interrupted by what did not wake it may be interrupted again. */
bool replay_idle_due(bool waits)
{
	const struct event *next = next_event();
	bool is_due = next_here(EVENT_IDLE) || (waits && next_here(EVENT_EXIT));
	bool is_off = hv_vcpu()->power == VCPU_OFF && !is_due;
	if (next && (is_off || (waits && next->n != hv.guest.n && exit_n != hv.guest.n)))
		diverged_here();
	return is_due;
}

ns_t replay_idle(ns_t deadline)
{
	const struct event *idle = next_here(EVENT_IDLE);
	(void)deadline;
	return (ns_t){idle ? idle->value : 0};
}

/* Whether it was not an instruction of the guest that ended the recording. */
static bool ends_from_outside(const struct event *end)
{
	return end->address == END_REASON_HOST || end->address == END_REASON_LIMIT || end->address == END_REASON_HANG ||
	       end->address == END_REASON_EXCEPTION_LOOP || end->address == END_REASON_VECTOR_LOOP;
}

bool replay_end_due(uint32_t *reason)
{
	const struct event *next = next_event();
	if (!next || hv.guest.n >= hv.until_n || hv.mailbox->interrupt)
		return true;
	if (next->kind != EVENT_END || next->n != hv.guest.n)
		return false;
	*reason = (uint32_t)next->address;
	return ends_from_outside(next) && (*reason != END_REASON_EXCEPTION_LOOP || vector_loops_here());
}

static enum event_class class_of(const struct event *event)
{
	switch (event->kind) {
#define EVENT(id, name, class, address, value, text)                                                                   \
	case id:                                                                                                       \
		return EVENT_CLASS_##class;
#include "hv/abi/event.def"
#undef EVENT
	default:
		return EVENT_CLASS_STOP;
	}
}

bool replay_note_due(void)
{
	const struct event *next = next_event();
	return next && next->n == hv.guest.n && class_of(next) == EVENT_CLASS_NOTE;
}

/* An END that the guest's own instruction caused comes again on its own, like a trap. */
static bool comes_by_itself(const struct event *next)
{
	return class_of(next) == EVENT_CLASS_TRAP ||
	       (next->kind == EVENT_END && (next->n == hv.guest.n || !ends_from_outside(next)));
}

/* An exception that needs the guest's breakpoints and watchpoints in the CPU. */
static bool needs_own_points(const struct event *next)
{
	uint64_t ec = FIELD_GET(next->address, ESR_EC);
	return next->kind == EVENT_DEBUG_EXCEPTION && (ec == EC_BREAKPOINT || ec == EC_WATCHPOINT);
}

bool replay_debug_due(void)
{
	const struct event *next = next_here(EVENT_DEBUG_EXCEPTION);
	return next && needs_own_points(next);
}

bool replay_is_quiet(void)
{
	const struct event *next = next_event();
	return next && hv.guest.n < hv.until_n && !hv.mailbox->interrupt &&
	       (next->n != hv.guest.n || class_of(next) == EVENT_CLASS_TRAP);
}

bool replay_exit_agrees(uint32_t check)
{
	const struct event *next = next_here(EVENT_EXIT);
	return next && next->value == check;
}

/* The guest stands before the exception that it is to take for ever, and retires nothing on the way there. */
static bool is_before_loop(const struct event *next)
{
	return next->kind == EVENT_END && next->address == END_REASON_EXCEPTION_LOOP && next->n == hv.guest.n;
}

/* Where an alarm may stay while the guest is to come to `next` on its own. */
static bool is_behind(insn_t alarm, const struct event *next)
{
	return alarm.v > next->n && alarm.v - next->n <= 2 * LOST_INSNS;
}

insn_t replay_next_stop(insn_t deadline, insn_t alarm)
{
	(void)deadline;
	const struct event *next = next_event();
	uint64_t stop = next->n;
	if (is_before_loop(next)) {
		ring_bell_ask();
		return (insn_t){hv.guest.n + 1};
	}
	if (next->n < hv.guest.n || (next->n == hv.guest.n && !comes_by_itself(next))) {
		diverged_here();
		return (insn_t){UINT64_MAX};
	}
	if (comes_by_itself(next)) {
		stop = is_behind(alarm, next) ? alarm.v : next->n + LOST_INSNS;
		if (hv.own_points_out && needs_own_points(next) && next->n > hv.guest.n)
			stop = next->n;
	}
	return (insn_t){stop < hv.until_n ? stop : hv.until_n};
}

/* Where the next event is not known yet, settling waits for it. The alarm is after the present position, so the end of
 * the run is, too; that it is not too far away was seen when it was set. */
insn_t replay_stop_at_rest(insn_t alarm)
{
	const struct event *next = ring_events.next;
	if (next == ring_events.end || next->n < hv.guest.n || class_of(next) != EVENT_CLASS_TRAP ||
	    !is_behind(alarm, next) || alarm.v > hv.until_n || hv.mailbox->interrupt)
		return (insn_t){0};
	return alarm;
}
