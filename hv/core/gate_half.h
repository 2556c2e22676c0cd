/* The halves of the gate, recording and replaying, and the diverted one beside them; only gate.c calls them. Twins are
 * spelled alike. */
#pragma once
#include "hv/abi/event.h"
#include "hv/abi/types.h"
#include <stdbool.h>

/* Where the next event is to be written; waits for room. */
struct event *record_room(void);
/* Appends the event that was written there. */
void record_event(const struct event *event);
/* Checks the event against the trace's next and passes on; false: they differ. `inexact`: takes n from the trace. */
bool replay_event(const struct event *actual, bool inexact);
/* The guest did something else than the trace's next event: it ends here. */
void replay_diverged(const struct event *actual);

/* Looks at an event that was appended: at what the guest does with its UART, and whether the console now shows what the
 * host waits for; stands still then until the host has seen it. */
void record_access(const struct event *event);
/* Stands still while the host looks at the guest, if it asked for that. */
void record_keyframe(void);

/* Console input and idle time at this position. */
bool record_input(uint8_t *byte);
bool replay_input(uint8_t *byte);
ns_t record_idle(ns_t deadline);
bool replay_idle_due(bool waits);
ns_t replay_idle(void);
ns_t divert_idle(ns_t deadline);

/* Whether it all ends here; a reason of 0 is no event of the recording. */
bool record_end_due(uint32_t *reason);
bool replay_end_due(uint32_t *reason);
bool divert_end_due(uint32_t *reason);

insn_t record_next_stop(insn_t deadline);
insn_t replay_next_stop(insn_t alarm);
insn_t divert_next_stop(insn_t deadline);

/* The same, if the guest may go on from a trap without looking further; 0: it may not. */
insn_t record_stop_at_rest(void);
insn_t replay_stop_at_rest(insn_t alarm);

bool replay_note_due(void);
bool replay_debug_due(void);
bool replay_is_quiet(void);
bool replay_exit_agrees(uint32_t check);

/* Whether the trace's next event is of this kind and at this position; brings its address. */
bool replay_at(enum event_kind kind, uint32_t *address);

/* Lets the machine's interrupts out for a diverted run, and puts them back as a replay needs them. */
void divert_begin(void);
void divert_end(void);
