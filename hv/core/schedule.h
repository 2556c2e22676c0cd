/* The recording's scheduler: whose turn it is, and for how long. A source like the others, behind the gate: a replay
 * has none. */
#pragma once
#include "hv/abi/types.h"
#include "hv/core/turn.h"
#include <stdbool.h>

/* Whether the turn ends here, and who has the next one. */
bool schedule_turn(enum turn_cause cause, uint32_t *to, enum switch_reason *why);
/* The position, after the current one, where the vCPU that runs has to be stopped for the sake of others; UINT64_MAX:
 * nowhere. */
insn_t schedule_deadline(void);
/* After schedule_turn said that the one that spins goes on: how long guest time may pass at once, because nobody can
 * end its spinning but time; 0: not at all. */
ns_t schedule_spin_jump(void);
/* A guest is to be scheduled that may be at an earlier position than the one before. */
void schedule_forget(void);
