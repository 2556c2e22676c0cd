/* Exclusive sequences (LDXR … STXR) that hv takes the guest through instruction by instruction, because the guest's own
 * debug events, which EL1 has masked, come to EL2 all the same (debug.c). Each exit clears the CPU's exclusive monitor,
 * so hv keeps one in its place: what it saw loaded is what the store may go to.
 *
 * A store that hardware would let succeed is done by the guest itself, as a plain store that stands in the place of the
 * store-exclusive while it is stepped over; hv then gives its status. So its translation, its faults, dirty state and
 * watchpoints are the CPU's own.
 *
 * 1. The outcome of each store is that of a run without these exits.
 * 2. Nothing of it outlasts an event or a trap, so that no keyframe and no checkpoint has to hold it. */
#pragma once
#include "hv/core/hv.h"

/* Whatever clears the monitor in any case happened at the current position. Call at asynchronous exits that are events,
 * at traps, and when the guest becomes another. */
void exclusive_drop(void);

/* A step that hv made is over, if it had begun. True: an exception came instead of the instruction or with it. */
bool exclusive_step_end(void);
/* The guest is about to be stepped over the instruction at pc. */
void exclusive_step_begin(void);
/* The same, for a guest that ran on its own up to here: where it stands in a sequence, the monitor is what it was. */
void exclusive_step_first(void);
/* Whether stepping has to go on: the guest may stand within a sequence. Call after exclusive_step_end. */
bool exclusive_is_open(void);

/* A store of the guest's is to be done as a plain one: put it there before the entry, take it back after the exit. */
extern bool exclusive_stores;
void exclusive_store_put(void);
void exclusive_store_take_back(void);
