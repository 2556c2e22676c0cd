/* The gate's halves: recording, replaying, and diverted, which goes the recording's way but for what differs here. Each
 * function answers for the one of gate.h that its name ends with; gate.c has them as three rows, and is the only one
 * that calls them, not after hv.ended. Twins are spelled alike. */
#pragma once
#include "hv/abi/event.h"
#include "hv/abi/types.h"
#include "hv/core/hv.h"
#include "hv/core/turn.h"
#include <stdbool.h>

/* Around a diverted run: lets the machine's interrupts out, and puts them back as a replay needs them. */
void divert_run_begin(void);
void divert_run_end(void);

/* Records the event, or checks it against the trace's next; a trap's `inexact` takes N from the trace. */
void record_trap(enum event_kind kind, uint64_t address, uint64_t value, uint8_t size, bool inexact);
void replay_trap(enum event_kind kind, uint64_t address, uint64_t value, uint8_t size, bool inexact);
void record_note(enum event_kind kind, uint64_t address, uint64_t value);
void replay_note(enum event_kind kind, uint64_t address, uint64_t value);

/* A guest is to be recorded, or diverted, that may be at an earlier position than the one before. */
void record_forget(void);

/* Whether there is an asynchronous exit here; *reason comes in as the machine's, 0: none. */
bool record_exit(uint32_t *reason);
bool replay_exit(uint32_t *reason);
/* `check`: what the exit's event would hold. */
bool replay_exit_agrees(uint32_t check);

void record_keyframe(void);
bool replay_is_quiet(void);
bool replay_note_due(void);
bool replay_debug_due(void);

bool record_input(uint8_t *byte);
bool replay_input(uint8_t *byte);
bool record_ask(enum event_kind kind, struct hv_ask *ask);
bool replay_ask(enum event_kind kind, struct hv_ask *ask);
void record_output(const void *bytes, uint32_t count);
void record_sent(void);
bool record_packet(uint32_t transport);
bool replay_packet(uint32_t transport);
bool replay_turn(enum turn_cause cause, uint32_t *to, enum switch_reason *why);
bool record_idle_due(bool waits);
bool replay_idle_due(bool waits);
ns_t record_idle(ns_t deadline);
ns_t replay_idle(ns_t deadline);
ns_t divert_idle(ns_t deadline);

/* Whether it all ends here; a *reason of 0 is no event of the recording. */
bool record_end_due(uint32_t *reason);
bool replay_end_due(uint32_t *reason);
bool divert_end_due(uint32_t *reason);

insn_t record_next_stop(insn_t deadline, insn_t alarm);
insn_t replay_next_stop(insn_t deadline, insn_t alarm);
insn_t divert_next_stop(insn_t deadline, insn_t alarm);
insn_t record_stop_at_rest(insn_t alarm);
insn_t replay_stop_at_rest(insn_t alarm);

/* Why a run ends here that the guest did not end: it was to stop here, the host rang, or its trace has no more. */
static inline enum hv_stop gate_half_stop(void)
{
	if (hv.guest.n >= hv.until_n)
		return HV_STOP_UNTIL;
	return hv.mailbox->interrupt ? HV_STOP_INTERRUPTED : HV_STOP_END;
}

/* The event of this kind at the current position. */
static inline void gate_half_event(struct event *event, enum event_kind kind, uint64_t address, uint64_t value,
				   uint8_t size)
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
