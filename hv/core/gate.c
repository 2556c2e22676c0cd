/* The gate's front: what is the same in all halves, and which half is at work. */
#include "hv/core/gate.h"
#include "hv/abi/pstate.h"
#include "hv/arch/hot.h"
#include "hv/core/gate_half.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"
#include "hv/core/publish.h"
#include "hv/core/ring.h"
#include "hv/core/schedule.h"

struct half {
	bool stops_anywhere;
	void (*run_begin)(void);
	void (*run_end)(void);
	void (*trap)(enum event_kind kind, uint64_t address, uint64_t value, uint8_t size, bool inexact);
	void (*note)(enum event_kind kind, uint64_t address, uint64_t value);
	bool (*exit)(uint32_t *reason);
	bool (*exit_agrees)(uint32_t check);
	void (*keyframe)(void);
	bool (*is_quiet)(void);
	bool (*note_due)(void);
	bool (*debug_due)(void);
	bool (*input)(uint8_t *byte);
	bool (*ask)(enum event_kind kind, struct hv_ask *ask);
	void (*output)(const void *bytes, uint32_t count);
	void (*sent)(void);
	bool (*packet)(uint32_t transport);
	bool (*turn)(enum turn_cause cause, uint32_t *to, enum switch_reason *why);
	bool (*idle_due)(bool waits);
	ns_t (*idle)(ns_t deadline);
	bool (*end_due)(uint32_t *reason);
	insn_t (*next_stop)(insn_t deadline, insn_t alarm);
	insn_t (*stop_at_rest)(insn_t alarm);
};

static void nothing(void)
{
}

static bool never(void)
{
	return false;
}

static bool no_check(uint32_t check)
{
	(void)check;
	return false;
}

static bool no_input(uint8_t *byte)
{
	(void)byte;
	return false;
}

static void no_output(const void *bytes, uint32_t count)
{
	(void)bytes;
	(void)count;
}

static bool no_packet(uint32_t transport)
{
	(void)transport;
	return false;
}

/* Each exit takes the long way. */
static insn_t no_rest(insn_t alarm)
{
	(void)alarm;
	return (insn_t){0};
}

static const struct half recording = {
	.stops_anywhere = true,
	.run_begin = nothing,
	.run_end = nothing,
	.trap = record_trap,
	.note = record_note,
	.exit = record_exit,
	.exit_agrees = no_check,
	.keyframe = record_keyframe,
	.is_quiet = never,
	.note_due = never,
	.debug_due = never,
	.input = record_input,
	.ask = record_ask,
	.output = record_output,
	.sent = record_sent,
	.packet = record_packet,
	.turn = schedule_turn,
	.idle_due = record_idle_due,
	.idle = record_idle,
	.end_due = record_end_due,
	.next_stop = record_next_stop,
	.stop_at_rest = record_stop_at_rest,
};

static const struct half replaying = {
	.stops_anywhere = false,
	.run_begin = nothing,
	.run_end = nothing,
	.trap = replay_trap,
	.note = replay_note,
	.exit = replay_exit,
	.exit_agrees = replay_exit_agrees,
	.keyframe = nothing,
	.is_quiet = replay_is_quiet,
	.note_due = replay_note_due,
	.debug_due = replay_debug_due,
	.input = replay_input,
	.ask = replay_ask,
	.output = no_output,
	.sent = nothing,
	.packet = replay_packet,
	.turn = replay_turn,
	.idle_due = replay_idle_due,
	.idle = replay_idle,
	.end_due = replay_end_due,
	.next_stop = replay_next_stop,
	.stop_at_rest = replay_stop_at_rest,
};

static const struct half diverted = {
	.stops_anywhere = false,
	.run_begin = divert_run_begin,
	.run_end = divert_run_end,
	.trap = record_trap,
	.note = record_note,
	.exit = record_exit,
	.exit_agrees = no_check,
	.keyframe = nothing,
	.is_quiet = never,
	.note_due = never,
	.debug_due = never,
	.input = no_input,
	.ask = record_ask,
	.output = record_output,
	.sent = nothing,
	.packet = no_packet,
	.turn = schedule_turn,
	.idle_due = record_idle_due,
	.idle = divert_idle,
	.end_due = divert_end_due,
	.next_stop = divert_next_stop,
	.stop_at_rest = no_rest,
};

static enum { RECORDING, REPLAYING, DIVERTED } half;

/* Asks the half at work, by name, so that what it does is compiled into the caller (hv/arch/hot.h). */
#define HALF(asked) (half == RECORDING ? recording.asked : half == REPLAYING ? replaying.asked : diverted.asked)

void gate_init(void)
{
	half = hv.boot->mode == HV_MODE_REPLAY ? REPLAYING : RECORDING;
	ring_events_forget();
}

void gate_run_begin(bool is_diverted)
{
	half = is_diverted ? DIVERTED : REPLAYING;
	ring_events_forget();
	HALF(run_begin());
}

void gate_run_end(void)
{
	HALF(run_end());
	half = REPLAYING;
}

static void note(enum event_kind kind, uint64_t address, uint64_t value)
{
	if (!hv.ended)
		HALF(note(kind, address, value));
}

void gate_trap(enum event_kind kind, uint64_t address, uint64_t value, uint8_t size, bool inexact)
{
	if (!hv.ended)
		HALF(trap(kind, address, value, size, inexact));
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
	if (hv.ended || !HALF(exit(&reason)))
		return false;
	hv.guest.check = check_roll(hv.guest.check, hv_vcpu());
	note(EVENT_EXIT, reason, hv.guest.check & UINT32_MAX);
	return !hv.ended;
}

bool gate_exit_agrees(void)
{
	return !hv.ended && HALF(exit_agrees((uint32_t)check_roll(hv.guest.check, hv_vcpu())));
}

void gate_keyframe(void)
{
	if (!hv.ended)
		HALF(keyframe());
}

bool gate_is_quiet(void)
{
	return !hv.ended && HALF(is_quiet());
}

bool gate_stops_anywhere(void)
{
	return HALF(stops_anywhere);
}

bool gate_note_due(void)
{
	return !hv.ended && HALF(note_due());
}

bool gate_debug_due(void)
{
	return !hv.ended && HALF(debug_due());
}

bool gate_input(ipa_t device, uint8_t *byte)
{
	if (hv.ended || !HALF(input(byte)))
		return false;
	note(EVENT_INPUT, device.v, *byte);
	return !hv.ended;
}

void gate_device(enum event_kind kind, uint64_t address, uint64_t value)
{
	note(kind, address, value);
}

bool gate_ask(enum event_kind kind, struct hv_ask *ask)
{
	return !hv.ended && HALF(ask(kind, ask));
}

void gate_output(const void *bytes, uint32_t count)
{
	if (!hv.ended)
		HALF(output(bytes, count));
}

void gate_sent(void)
{
	if (!hv.ended)
		HALF(sent());
}

bool gate_packet(uint32_t transport)
{
	return !hv.ended && HALF(packet(transport));
}

bool gate_turn(enum turn_cause cause, uint32_t *to, enum switch_reason *why)
{
	if (hv.ended || hv.guest.vcpu_count == 1 || !HALF(turn(cause, to, why)))
		return false;
	note(EVENT_SWITCH, *to, *why);
	return !hv.ended;
}

bool gate_idle_due(bool waits)
{
	return !hv.ended && HALF(idle_due(waits));
}

ns_t gate_idle(ns_t deadline)
{
	ns_t jump = HALF(idle(deadline));
	if (jump.v != 0 || HALF(note_due())) /* a trace's jump of 0 is damage: it must not come again and again */
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
	hv.mailbox->stop = HV_STOP_END;
	interrupts_fold(); /* equal guests have equal bytes, however they were stopped */
	publish_end(HV_STATE_ENDED);
}

bool gate_end_due(void)
{
	uint32_t reason = 0;
	if (hv.ended)
		return true;
	if (!HALF(end_due(&reason)))
		return false;
	if (reason != 0) {
		gate_end((enum end_reason)reason);
	} else {
		hv.mailbox->stop = gate_half_stop();
		publish_end(HV_STATE_ENDED);
	}
	return true;
}

insn_t gate_next_stop(insn_t deadline, insn_t alarm)
{
	return HALF(next_stop(deadline, alarm));
}

insn_t gate_stop_at_rest(insn_t alarm)
{
	if (hv.ended)
		return (insn_t){0};
	return HALF(stop_at_rest(alarm));
}
