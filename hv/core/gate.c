/* The gate's front: fills in where an event stands and hands it to the recording or the replaying half. */
#include "hv/core/gate.h"
#include "hv/core/gate_half.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"

static bool replaying;

void gate_init(void)
{
	replaying = hv.boot->mode == HV_MODE_REPLAY;
}

static struct event event_here(enum event_kind kind, uint64_t address, uint64_t value)
{
	return (struct event){
		.n = hv.guest.n,
		.pc = hv_vcpu()->pc,
		.address = address,
		.value = value,
		.kind = (uint16_t)kind,
		.vcpu = (uint8_t)hv.guest.current,
	};
}

static void note(enum event_kind kind, uint64_t address, uint64_t value)
{
	struct event event = event_here(kind, address, value);
	if (hv.ended)
		return;
	if (replaying)
		replay_event(&event, false);
	else
		record_event(&event);
}

void gate_trap(enum event_kind kind, uint64_t address, uint64_t value, uint8_t size, bool inexact)
{
	struct event event = event_here(kind, address, value);
	event.size = size;
	if (hv.ended)
		return;
	if (replaying)
		replay_event(&event, inexact);
	else
		record_event(&event);
}

/* The rolling hash over the registers at every asynchronous exit; events keep its low half. */
static uint64_t check_roll(uint64_t check, const struct vcpu_state *vcpu)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	for (uint32_t i = 0; i < 31; i++)
		check = (check ^ vcpu->x[i]) * odd;
	check = (check ^ vcpu->pc) * odd;
	check = (check ^ vcpu->pstate) * odd;
	return check ^ check >> 32;
}

bool gate_exit(uint32_t reason)
{
	if (hv.ended || !(replaying ? replay_at(EVENT_EXIT, &reason) : reason != 0))
		return false;
	hv.guest.check = check_roll(hv.guest.check, hv_vcpu());
	note(EVENT_EXIT, reason, hv.guest.check & UINT32_MAX);
	return !hv.ended;
}

bool gate_stops_anywhere(void)
{
	return !replaying;
}

bool gate_note_due(void)
{
	return !hv.ended && replaying && replay_note_due();
}

bool gate_debug_due(void)
{
	return !hv.ended && replaying && replay_debug_due();
}

bool gate_input(ipa_t device, uint8_t *byte)
{
	if (hv.ended || !(replaying ? replay_input(byte) : record_input(byte)))
		return false;
	note(EVENT_INPUT, device.v, *byte);
	return !hv.ended;
}

bool gate_idle_due(bool waits)
{
	return !hv.ended && (replaying ? replay_idle_due(waits) : waits);
}

ns_t gate_idle(ns_t deadline)
{
	ns_t jump = replaying ? replay_idle() : record_idle(deadline);
	if (jump.v != 0 || replaying) /* a trace's jump of 0 is damage: it must not come again and again */
		note(EVENT_IDLE, deadline.v, jump.v);
	return jump;
}

void gate_inject(uint32_t intid, uint8_t priority)
{
	note(EVENT_INJECT, intid, priority);
}

void gate_end(enum end_reason reason)
{
	note(EVENT_END, reason, hv.guest.check & UINT32_MAX);
	if (hv.ended)
		return;
	hv.mailbox->end_reason = reason;
	interrupts_fold(); /* equal guests have equal bytes, however they were stopped */
	hv_end(HV_STATE_ENDED);
}

bool gate_end_due(void)
{
	uint32_t reason = 0;
	if (hv.ended)
		return true;
	if (!(replaying ? replay_end_due(&reason) : record_end_due(&reason)))
		return false;
	if (reason != 0)
		gate_end((enum end_reason)reason);
	else
		hv_end(HV_STATE_ENDED); /* the replay was told to stop here, or its trace has no more */
	return true;
}

insn_t gate_next_stop(insn_t deadline, insn_t alarm)
{
	return replaying ? replay_next_stop(alarm) : record_next_stop(deadline);
}
