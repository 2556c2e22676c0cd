/* Going on to what is next and back to what was last: searches of any length, and steps. */
#pragma once
#include "replay/travel/timeline.h"

/* timeline_open, with long searches done by up to `jobs` machines at a time. NULL: error set. */
struct timeline *travel_open(const char *trace, uint64_t n, unsigned jobs, struct interruption *interruption,
			     struct error *error);
void travel_close(struct timeline *timeline);

/* The search that is going on: where it began, how many instructions it has looked at, and how many are left at most.
 */
struct travel_progress {
	bool reverse;
	uint64_t from_n, done, left;
};

/* For the interruption's tick. False: no search is going on. */
bool travel_progress(const struct timeline *timeline, struct travel_progress *progress);

/* Back to where it is known that none of the points is hit before the current place. */
uint64_t travel_searched_back(struct timeline *timeline, struct points points);

/* Goes on to the next place, or back to the last one, where one of the points, of which there may be any number, is
 * hit: an instruction about to be executed, or data about to be accessed. Without one: to the end of that direction,
 * STOP_END or STOP_BEGIN. A breakpoint at the current place does not count, an access there does; backwards an access
 * stops right after it (gdb's way of aarch64 watchpoints). */
struct stop travel_continue(struct timeline *timeline, const struct search *search, struct error *error);
/* The same, but no further than to a position after this one, or before it: without a hit before it, forwards, or from
 * it on, backwards, the timeline is there then, STOP_NONE. */
struct stop travel_continue_to(struct timeline *timeline, const struct search *search, uint64_t n, struct error *error);
/* One instruction on or back, or from a vector that shares its position back to the place before: STOP_STEPPED. Or what
 * stops a continue in that direction before it or after it: a watched access, a breakpoint at such a vector, the start
 * or end. */
struct stop travel_step(struct timeline *timeline, const struct search *search, struct error *error);

/* For a step of one vCPU, whoever's turn it is. Forwards: on to where it is about to execute an instruction, STOP_NONE,
 * or what stops a continue before. STOP_END: it executes none any more; the timeline stays. */
struct stop travel_to_turn(struct timeline *timeline, const struct search *search, uint32_t vcpu, struct error *error);
/* Backwards: to where it was about to execute its last instruction before this place, as travel_step does. */
struct stop travel_step_back_of(struct timeline *timeline, const struct search *search, uint32_t vcpu,
				struct error *error);
