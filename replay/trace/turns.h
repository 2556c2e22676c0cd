/* Whose turn it was: the vCPUs of a guest take turns on one CPU, and an EVENT_SWITCH stands where the turn changes.
 *
 * At a position exactly one vCPU executes the instruction there. Where a SWITCH stands at a position, that is the one
 * who goes on: the one who leaves has executed the instruction before. */
#pragma once
#include "replay/trace/events.h"

/* A place in the trace: a position, the first event that is still to come there, and whose turn it is, as far as the
 * events before it tell. */
struct turns_place {
	uint64_t n, next_event;
	uint32_t vcpu;
};

/* The event that shows whose turn the place's position is: the last SWITCH that is still to come there. UINT64_MAX:
 * none is. */
uint64_t turns_switch(struct events *events, struct turns_place place);
/* Who executes the instruction at the place's position, and who executed the one before it. Where the trace is damaged,
 * whose turn it is as far as it can be read. */
uint32_t turns_here(struct events *events, struct turns_place place);
uint32_t turns_before(struct events *events, struct turns_place place);

/* The first position, from the place's on, at which `vcpu` executes an instruction, or the last one before it, from
 * `start_n` on. UINT64_MAX: there is none. False: the trace is damaged, error set. */
bool turns_next(struct events *events, struct turns_place place, uint32_t vcpu, uint64_t *n, struct error *error);
bool turns_last(struct events *events, struct turns_place place, uint32_t vcpu, uint64_t start_n, uint64_t *n,
		struct error *error);
