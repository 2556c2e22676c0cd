/* hv's own step: it takes the guest over one instruction that a breakpoint or watchpoint is at. What stands in struct
 * vcpu_state of it is `stepping` and PSTATE.SS. */
#pragma once
#include "hv/abi/guest_state.h"
#include <stdbool.h>

/* The guest goes on over one instruction with the debug registers of `stepping`, where software step is then on. */
void debug_step_begin(struct vcpu_state *stepping);
/* Ends the step, if there is one, in hv.vcpu. True: there was, and debug_load has to come before the guest goes on. */
bool debug_step_end(void);
/* Whether the guest stands before an instruction that it came out at already, to be stepped over it. */
bool debug_step_comes_again(void);
