/* vCPUs take turns: who may have one. When a turn goes from one to another is the trace's to
 * say, or the recording's scheduler's (hv/core/schedule.h); the run loop has it go (run.c). */
#pragma once
#include "hv/abi/reason.h"
#include <stdbool.h>
#include <stdint.h>

/* What a turn of the run loop comes with. */
enum turn_cause {
	TURN_TRAP,  /* nothing that ends a turn */
	TURN_EXIT,  /* an asynchronous exit that is an event */
	TURN_WAITS, /* the vCPU waits with nothing pending, or is off */
	TURN_SPINS, /* it executed WFE or YIELD in a loop that waits for another vCPU */
};

/* Whether `vcpu`, whose turn it is not, can go on: it is on, and does not wait, or an interrupt is pending for it. */
bool turn_can_run(uint32_t vcpu);
/* Whether any but the one that runs can. */
bool turn_others_can_run(void);
