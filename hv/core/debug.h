/* The guest's own debugging: BRK, breakpoints, watchpoints and software step. All of it comes to EL2 (MDCR_EL2.TDE) and
 * is passed on to EL1 where EL1 would have taken it. */
#pragma once
#include "hv/core/exit.h"

enum exit_answer debug_brk(const struct exit *exit);
/* Hardware breakpoint or watchpoint. */
enum exit_answer debug_breakpoint(const struct exit *exit);
enum exit_answer debug_step(const struct exit *exit);

/* Call at every synchronous exit: ends the stepping over a breakpoint that the guest had masked. */
void debug_pass_end(void);

/* Call where the guest stops in a way that is an event: whatever hv took it through is over. */
void debug_interrupted(void);

/* Loads the guest's debug registers into the CPU, and the debugger's points into the ones that the guest does not use.
 * If they do not fit, the guest's own points are out until just before they are due (hv.own_points_out). */
void debug_load(void);

/* The same for a vCPU whose turn it has become: what its CPU has may be of another time. */
void debug_turn(void);

/* Call before each entry: brings the guest's own points in where the trace has an exception of theirs, or stops at a
 * breakpoint of the debugger's there. */
void debug_update(void);
