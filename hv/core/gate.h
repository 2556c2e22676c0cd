/* The gate: the one place through which anything nondeterministic enters the guest, and through which every event goes.
 *
 * Recording, it takes a value from its source and appends the event; replaying, it takes the event from the trace and
 * checks kind, position, vCPU, pc, address and value; diverted, it takes values as when recording, but there is no
 * input. No other file of hv knows which of the three is happening.
 *
 * 1. Events are appended, and expected, at the current position hv.guest.n; several may share it.
 * 2. A full ring stalls the guest; nothing is dropped.
 * 3. After a divergence or the end of the recording hv.ended is set and every call returns without effect. */
#pragma once
#include "hv/abi/event.h"
#include "hv/abi/mailbox.h"
#include "hv/abi/types.h"
#include "hv/core/turn.h"
#include <stdbool.h>

/* Call once, before the first entry. */
void gate_init(void);

/* Around a run of a replay that serves a debugger: on the recording's way, or diverted. */
void gate_run_begin(bool is_diverted);
void gate_run_end(void);

/* A trap: the guest's own instruction came to EL2. `value` is what hv computed, or what the guest wrote; `size` is the
 * bytes of an MMIO access or 0. With `inexact` the hardware may have counted the instruction wrongly: a replay takes
 * the position from the trace. */
void gate_trap(enum event_kind kind, uint64_t address, uint64_t value, uint8_t size, bool inexact);

/* An asynchronous exit at the current position. Recording: appends it if there is a `reason` (0: none). Replaying: the
 * trace says. Returns whether there is one here, so that timers are to be looked at. */
bool gate_exit(uint32_t reason);

/* Replaying: whether the trace has an asynchronous exit of the guest exactly as it is now. It then comes before what
 * the guest's instruction at this position causes. */
bool gate_exit_agrees(void);

/* Right after a recorded asynchronous exit, with everything at rest: lets the host take a keyframe, if it wants one. */
void gate_keyframe(void);

/* Replaying: whether nothing stands at this position but what the guest's own instruction does, so that a debugger may
 * have it go on from here without a stop. */
bool gate_is_quiet(void);

/* Whether an interrupt that comes wherever it likes becomes an event, which must stand at a sure place (recording). */
bool gate_stops_anywhere(void);

/* Replaying: whether the trace has a note here, which the recording made at an exit that may not have happened now. */
bool gate_note_due(void);

/* Replaying: whether the trace has an exception of the guest's own breakpoints or watchpoints here. */
bool gate_debug_due(void);

/* Takes one byte of console input for the device at `device`, if there is one now. */
bool gate_input(ipa_t device, uint8_t *byte);

/* A device of the guest moved data, or could not. */
void gate_device(enum event_kind kind, uint64_t address, uint64_t value);
/* Has the host put what event `kind` brings into the transfer area, ask->bytes of it; a packet's own length is put
 * there. Waits for it: the guest's clock stands still. False: the host could not, or a replay does not have it. */
bool gate_ask(enum event_kind kind, struct hv_ask *ask);
/* Bytes that a device gives out, before their event. */
void gate_output(const void *bytes, uint32_t count);
/* The guest sent packets: has the host look at them. */
void gate_sent(void);
/* Whether there is a packet that the network card at `transport` takes now. */
bool gate_packet(uint32_t transport);

/* Whether another vCPU has the next turn: who, and why. */
bool gate_turn(enum turn_cause cause, uint32_t *to, enum switch_reason *why);

/* Whether the guest idles here; `waits`: it executed WFI and nothing is pending. */
bool gate_idle_due(bool waits);
/* Idles, at most to `deadline` (guest time; UINT64_MAX: there is none), and returns how far guest time moves on. 0
 * means: look at the input again. */
ns_t gate_idle(ns_t deadline);

/* An interrupt was made pending in a list register. */
void gate_inject(uint32_t intid, uint8_t priority);

/* Whether the recording ends here, because of the host or a limit (recording), or of the trace (replaying); ends it if
 * so. */
bool gate_end_due(void);
/* The guest ended it: power off, reset, something unsupported. */
void gate_end(enum end_reason reason);

/* The position, after the current one, where the guest has to be stopped; `deadline` is that of the emulated timers,
 * and `alarm` is where the alarm stands, which is the answer if that will do. */
insn_t gate_next_stop(insn_t deadline, insn_t alarm);

/* What gate_next_stop would say, where there is nothing for the gate here but what the guest's own instruction does: no
 * note, no asynchronous exit, no end, no input. 0: there may be. */
insn_t gate_stop_at_rest(insn_t alarm);
