/* Diversions: the guest is changed at a place of the timeline and runs on without the recording, until the timeline
 * goes back.
 *
 * 1. The first change begins one; every goto, and diversion_leave, ends it. Nothing of it stays
 * (hv/core/gate_divert.c).
 * 2. No checkpoint is taken in it, and travel_continue is not called.
 * 3. One that gdb began to call a function ends when gdb has put the registers back (diversion_is_over). Memory is not
 * looked at for that, so what gdb pushes for a call is distinguished from what the user writes by the stack: below its
 * pointer.
 * 4. A stop inside an exclusive sequence makes its store fail once more (I8), so a step that would end there goes on to
 *    its end. A diversion that begins inside of one, or a breakpoint there, has that one failure. */
#pragma once
#include "replay/travel/timeline.h"

bool diversion_is_on(const struct timeline *timeline);
/* The place that it began at; only while it is on. */
struct timeline_place diversion_origin(const struct timeline *timeline);
/* Begins one that changes nothing, or makes the one that is on last until the user leaves it. */
void diversion_begin(struct timeline *timeline);
/* Whether it is one that gdb calls a function in, as far as can be seen before it has run. */
bool diversion_is_call(const struct timeline *timeline);
/* Whether gdb has put back all registers, as it does after a call, and no more was written than a call needs. */
bool diversion_is_over(const struct timeline *timeline);
/* Whether the user does not know of it yet. True once. */
bool diversion_tell(struct timeline *timeline);

/* Gives a vCPU the registers `changed`. `of_call`: gdb puts them back after a call. What is there already is no change.
 */
void diversion_registers_write(struct timeline *timeline, uint32_t vcpu, const struct vcpu_state *changed,
			       bool of_call);
/* Write inside of one page, through the vCPU's translation or at a physical address, whatever the guest's permissions
 * are. False: it is not RAM; or the machine failed, error set. */
bool diversion_memory_write(struct timeline *timeline, uint32_t vcpu, va_t va, const void *bytes, size_t count,
			    struct error *error);
bool diversion_physical_write(struct timeline *timeline, ipa_t ipa, const void *bytes, size_t count,
			      struct error *error);

/* Whether the CPU has room for these points, beside those that the guest itself uses. */
bool diversion_points_fit(const struct timeline *timeline, struct points points);
/* Runs one instruction, or an exclusive sequence: STOP_STEPPED. Or STOP_WATCHPOINT: it would access a watched place,
 * and the search does not skip that; STOP_BREAKPOINT: an interrupt came before it, and this is its vector; STOP_END:
 * the guest came to an end, engine_end_reason. Here and below the search is one forwards, with points that fit. */
struct stop diversion_step(struct timeline *timeline, const struct search *search, struct error *error);
/* Runs on to a point. `pass`: a breakpoint at the current place does not count. */
struct stop diversion_continue(struct timeline *timeline, const struct search *search, bool pass, struct error *error);

/* Back to the recording, where it was left. Without a diversion it does nothing. */
bool diversion_leave(struct timeline *timeline, struct error *error);
