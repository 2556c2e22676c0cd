/* Searching a stretch of the timeline for hits, on this machine alone. Points are at most HV_DEBUG_POINTS_MAX here, as
 * many as the CPU has; travel.h takes any number of them. */
#pragma once
#include "replay/travel/timeline_state.h"

/* Positions from `low`, which belongs to it, to `high`, which does not. */
struct span {
	uint64_t low, high;
};

/* Runs over the instruction at the current view, a store exclusive too, with the points armed: without a hit, to a
 * place that is none to go on from. An access is at the view's position then, and the place is undefined. */
struct stop search_run_over(struct timeline *t, struct points points, struct error *error);

/* What is known of these points (replay/travel/hits.h). NULL: out of memory. */
struct hit_set *search_known(struct timeline *t, struct points points);

/* STOP_BREAKPOINT if there is one of the points at the current pc, or STOP_NONE. */
struct stop search_breakpoint_here(const struct timeline *t, struct points points);

/* The place that the timeline has just come to, as a hit. */
struct hit search_hit_here(const struct timeline *t, struct stop stop);
/* Goes to position `n`, and there to the place of `stop`. */
bool search_goto_hit(struct timeline *t, uint64_t n, const struct stop *stop, struct error *error);

/* Forwards: the next hit after the current place and before `limit`, which it is run to if there is none (STOP_NONE).
 */
struct stop search_next_hit(struct timeline *t, const struct search *search, uint64_t limit, struct error *error);
/* The first hit of the span, where the timeline then is. A search back finds the last one, and the timeline is
 * anywhere. STOP_NONE: there is none. */
struct hit search_span(struct timeline *t, const struct search *search, struct span span, struct error *error);
