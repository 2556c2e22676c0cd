/* Searching a stretch of the timeline for hits, on this machine alone. */
#pragma once
#include "replay/travel/timeline_state.h"

/* Runs over the instruction at the current view, a store exclusive too, with the points armed: without a hit, to a
 * place that is none to go on from. An access is at the view's position then, and the place is undefined. */
enum engine_stop search_run_over(struct timeline *t, const struct hv_debug_point *points, size_t count,
				 uint64_t *address, struct error *error);

/* What is known of these points (replay/travel/hits.h). NULL: out of memory. */
struct hit_set *search_known(struct timeline *t, const struct hv_debug_point *points, size_t count);

bool search_breakpoint_here(const struct timeline *t, const struct hv_debug_point *points, size_t count,
			    uint64_t *address);
struct timeline_found {
	struct timeline_hit hit; /* TIMELINE_BEGIN, TIMELINE_END: nothing */
	uint64_t n;
	enum timeline_rank rank;
};

/* The hit that the timeline has just come to. */
struct timeline_found search_found_here(const struct timeline *t, struct timeline_hit hit);
/* Goes to where `hit` was, at position `n`. */
bool search_goto_hit(struct timeline *t, uint64_t n, const struct timeline_hit *hit, struct error *error);

/* The next hit after the current place and before `limit`, which it is run to if there is none (TIMELINE_END). At most
 * HV_DEBUG_POINTS_MAX points, as many as the CPU has, here and below. */
struct timeline_hit search_next_hit(struct timeline *t, uint64_t limit, bool first_watch,
				    const struct hv_debug_point *points, size_t count, struct error *error);
/* The first hit at or after `low` and before `high`, or none (TIMELINE_END), where the timeline then is. With `reverse`
 * the last one, or none (TIMELINE_BEGIN), and the timeline is anywhere. */
struct timeline_found search_stretch(struct timeline *t, bool reverse, uint64_t low, uint64_t high,
				     const struct hv_debug_point *points, size_t count, struct error *error);
