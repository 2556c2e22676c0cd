/* The timeline: a trace as a line of positions to travel on. Forwards and backwards cost the same.
 *
 * 1. Every stop is a view. Stepping and seeking load the checkpoint before and run through it. A search for hits runs
 * on from a view where the code before pc shows no open exclusive sequence, the one thing that a stop undoes (I8).
 * 2. Checkpoints stand where the recording stopped of its own accord (after a trap, or at an asynchronous exit), and
 * where it is shown that the guest does not notice a stop. */
#pragma once
#include "replay/guest/guest_memory.h"
#include "replay/run/stop.h"
#include "replay/travel/checkpoints.h"

struct timeline;

/* Opens a trace at position `n`, or at its start or end if that is beyond. `interruption`: as of engine_open. NULL:
 * error set. */
struct timeline *timeline_open(const char *trace, uint64_t n, struct interruption *interruption, struct error *error);
void timeline_close(struct timeline *timeline);

/* Position, state and RAM of the place that is looked at. */
uint64_t timeline_n(const struct timeline *timeline);
const struct guest_state *timeline_state(const struct timeline *timeline);
/* The vCPU that executes the instruction there, and who executed the one before. They are neither of them always the
 * one that hv had running when it stopped: where the turn changes, a view may stand on either side of the SWITCH. In a
 * diversion, where hv gives the turns, it is the one that runs. */
uint32_t timeline_vcpu_index(const struct timeline *timeline);
uint32_t timeline_vcpu_before(const struct timeline *timeline);
const struct vcpu_state *timeline_vcpu(const struct timeline *timeline); /* of timeline_vcpu_index */
/* What a vCPU does there. */
enum timeline_vcpu_doing { VCPU_IS_OFF, VCPU_IS_WAITING, VCPU_IS_READY, VCPU_IS_RUNNING };
enum timeline_vcpu_doing timeline_vcpu_doing(const struct timeline *timeline, uint32_t vcpu);
struct engine *timeline_engine(struct timeline *timeline);
struct guest_memory timeline_memory(const struct timeline *timeline);
/* A position, and which place of those that may share it, by the pc of the vCPU that executes there: at one position
 * that is always the same one. */
struct timeline_place {
	uint64_t n, pc;
};
struct timeline_place timeline_place(const struct timeline *timeline);
/* Whether this is the address of one of that vCPU's exception vectors, which may share their position with the
 * place before. */
bool timeline_is_vector(const struct timeline *timeline, uint64_t address);
/* The first position from here on, or the last one before this place, at which a vCPU executes an instruction. Not in a
 * diversion. UINT64_MAX: there is none. False: the trace is damaged, error set. */
bool timeline_turn_next(const struct timeline *timeline, uint32_t vcpu, uint64_t *n, struct error *error);
bool timeline_turn_last(const struct timeline *timeline, uint32_t vcpu, uint64_t *n, struct error *error);
const struct checkpoints *timeline_checkpoints(const struct timeline *timeline);
/* Positions of the trace's start and end. */
uint64_t timeline_start_n(const struct timeline *timeline);
uint64_t timeline_end_n(const struct timeline *timeline);

/* Goes to position `n`, or to the start or end if it is beyond. False: error set, and the place is undefined; it is
 * "interrupted" if the interruption's tick wanted that. */
bool timeline_goto(struct timeline *timeline, uint64_t n, struct error *error);
/* Goes to the end: to its last place, where a guest takes exceptions for ever, at the vector. */
bool timeline_goto_end(struct timeline *timeline, struct error *error);
/* Goes back to a place where the timeline was. Is not interrupted, but by a tick that says so twice. */
bool timeline_return(struct timeline *timeline, struct timeline_place place, struct error *error);

/* What is looked for on the timeline, from where it stands: the next hit, or the last one. */
struct search {
	struct points points;
	bool reverse;
	bool skip_access; /* an access at the place where the search begins does not count */
};
