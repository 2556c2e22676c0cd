/* The gate's front: fills in where an event stands and hands it to the half that is at work. A diverted guest's events
 * go the recording's way, but nobody keeps them (replay/run/engine.c). */
#include "hv/core/gate.h"
#include "hv/abi/pstate.h"
#include "hv/arch/hot.h"
#include "hv/core/gate_half.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"
#include "hv/core/ring.h"

static enum { RECORDING, REPLAYING, DIVERTED } half;

void gate_init(void)
{
	half = hv.boot->mode == HV_MODE_REPLAY ? REPLAYING : RECORDING;
	ring_events_forget();
}

void gate_run_begin(bool diverted)
{
	half = diverted ? DIVERTED : REPLAYING;
	ring_events_forget();
	if (diverted)
		divert_begin();
}

void gate_run_end(void)
{
	if (half == DIVERTED)
		divert_end();
	half = REPLAYING;
}

static void event_put(struct event *event, enum event_kind kind, uint64_t address, uint64_t value, uint8_t size)
{
	event->n = hv.guest.n;
	event->pc = hv_vcpu()->pc;
	event->address = address;
	event->value = value;
	event->kind = (uint16_t)kind;
	event->vcpu = (uint8_t)hv.guest.current;
	event->size = size;
	event->zero = 0;
}

static HV_APART void diverge(enum event_kind kind, uint64_t address, uint64_t value, uint8_t size)
{
	struct event event;
	event_put(&event, kind, address, value, size);
	replay_diverged(&event);
}

static void replay(enum event_kind kind, uint64_t address, uint64_t value, uint8_t size, bool inexact)
{
	struct event event;
	event_put(&event, kind, address, value, size);
	if (!replay_event(&event, inexact))
		diverge(kind, address, value, size);
}

static struct event *record(enum event_kind kind, uint64_t address, uint64_t value, uint8_t size)
{
	struct event *event = record_room();
	event_put(event, kind, address, value, size);
	record_event(event);
	return event;
}

static void note(enum event_kind kind, uint64_t address, uint64_t value)
{
	if (hv.ended)
		return;
	if (half == REPLAYING)
		replay(kind, address, value, 0, false);
	else
		record(kind, address, value, 0);
}

void gate_trap(enum event_kind kind, uint64_t address, uint64_t value, uint8_t size, bool inexact)
{
	if (hv.ended)
		return;
	if (half == REPLAYING)
		replay(kind, address, value, size, inexact);
	else
		record_access(record(kind, address, value, size));
}

/* The rolling hash over the registers at every asynchronous exit; events keep its low half. */
static uint64_t check_roll(uint64_t check, const struct vcpu_state *vcpu)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	bool is_stepped = vcpu->stepping & VCPU_PASSING; /* by hv, which no run but this may do here */
	uint64_t pstate = is_stepped ? vcpu->pstate & ~PSTATE_SS : vcpu->pstate;
	for (uint32_t i = 0; i < 31; i++)
		check = (check ^ vcpu->x[i]) * odd;
	check = (check ^ vcpu->pc) * odd;
	check = (check ^ pstate) * odd;
	return check ^ check >> 32;
}

bool gate_exit(uint32_t reason)
{
	if (hv.ended || !(half == REPLAYING ? replay_at(EVENT_EXIT, &reason) : reason != 0))
		return false;
	hv.guest.check = check_roll(hv.guest.check, hv_vcpu());
	note(EVENT_EXIT, reason, hv.guest.check & UINT32_MAX);
	return !hv.ended;
}

bool gate_exit_agrees(void)
{
	return !hv.ended && half == REPLAYING && replay_exit_agrees((uint32_t)check_roll(hv.guest.check, hv_vcpu()));
}

void gate_keyframe(void)
{
	if (!hv.ended && half == RECORDING)
		record_keyframe();
}

bool gate_is_quiet(void)
{
	return !hv.ended && half == REPLAYING && replay_is_quiet();
}

bool gate_stops_anywhere(void)
{
	return half == RECORDING;
}

bool gate_note_due(void)
{
	return !hv.ended && half == REPLAYING && replay_note_due();
}

static bool input(uint8_t *byte)
{
	if (half == DIVERTED)
		return false;
	return half == REPLAYING ? replay_input(byte) : record_input(byte);
}

bool gate_debug_due(void)
{
	return !hv.ended && half == REPLAYING && replay_debug_due();
}

bool gate_input(ipa_t device, uint8_t *byte)
{
	if (hv.ended || !input(byte))
		return false;
	note(EVENT_INPUT, device.v, *byte);
	return !hv.ended;
}

bool gate_idle_due(bool waits)
{
	return !hv.ended && (half == REPLAYING ? replay_idle_due(waits) : waits);
}

static ns_t idle(ns_t deadline)
{
	if (half == DIVERTED)
		return divert_idle(deadline);
	return half == REPLAYING ? replay_idle() : record_idle(deadline);
}

ns_t gate_idle(ns_t deadline)
{
	ns_t jump = idle(deadline);
	if (jump.v != 0 || half == REPLAYING) /* a trace's jump of 0 is damage: it must not come again and again */
		note(EVENT_IDLE, deadline.v, jump.v);
	return jump;
}

void gate_inject(uint32_t intid, uint8_t priority)
{
	note(EVENT_INJECT, intid, priority);
}

HV_APART void gate_end(enum end_reason reason)
{
	note(EVENT_END, reason, hv.guest.check & UINT32_MAX);
	if (hv.ended)
		return;
	hv.mailbox->end_reason = reason;
	interrupts_fold(); /* equal guests have equal bytes, however they were stopped */
	hv_end(HV_STATE_ENDED);
}

static bool end_due(uint32_t *reason)
{
	if (half == DIVERTED)
		return divert_end_due(reason);
	return half == REPLAYING ? replay_end_due(reason) : record_end_due(reason);
}

bool gate_end_due(void)
{
	uint32_t reason = 0;
	if (hv.ended)
		return true;
	if (!end_due(&reason))
		return false;
	if (reason != 0)
		gate_end((enum end_reason)reason);
	else
		hv_end(HV_STATE_ENDED); /* the run was told to stop here, or its trace has no more */
	return true;
}

insn_t gate_next_stop(insn_t deadline, insn_t alarm)
{
	if (half == DIVERTED)
		return divert_next_stop(deadline);
	return half == REPLAYING ? replay_next_stop(alarm) : record_next_stop(deadline);
}

insn_t gate_stop_at_rest(insn_t alarm)
{
	if (hv.ended)
		return (insn_t){0};
	if (half == REPLAYING)
		return replay_stop_at_rest(alarm);
	return half == RECORDING ? record_stop_at_rest() : (insn_t){0};
}
