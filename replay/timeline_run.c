/* Continue and reverse-continue. rr's ReplayTimeline is the model: backwards is the last hit of a run forwards from the
 * checkpoint before, and where a stretch has many hits, its later half is run first. */
#include "replay/timeline_state.h"

/* So many hits in one stretch, and it is halved. */
enum { HITS_BEFORE_HALVING = 4 };

static bool is_breakpoint_here(const struct timeline *t, const struct hv_debug_point *points, size_t count,
			       uint64_t *address)
{
	const struct guest_state *state = timeline_state(t);
	for (size_t i = 0; i < count; i++) {
		if (points[i].bytes == 0 && points[i].address == state->vcpu[state->current].pc) {
			*address = points[i].address;
			return true;
		}
	}
	return false;
}

/* Whether the instruction at the current view `n` accesses a watched place; leaves the view undefined. */
static enum engine_stop watch_here(struct timeline *t, uint64_t n, const struct hv_debug_point *points, size_t count,
				   uint64_t *address, struct error *error)
{
	struct hv_debug_point watched[HV_DEBUG_POINTS_MAX];
	size_t watched_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (points[i].bytes != 0)
			watched[watched_count++] = points[i];
	}
	if (watched_count == 0)
		return ENGINE_UNTIL;
	return engine_run(t->engine, n + 1, watched, watched_count, address, error);
}

/* Steps over the instruction at `n`, and on out of an exclusive sequence, to a place to run on from. Answers a hit on
 * the way (`first_watch`: an access at `n` itself counts), or TIMELINE_INTERRUPTED for none. */
static struct timeline_hit step_over(struct timeline *t, uint64_t n, bool first_watch,
				     const struct hv_debug_point *points, size_t count, struct error *error)
{
	struct timeline_hit hit = {TIMELINE_FAILED, 0};
	for (bool watch = first_watch;; watch = true) {
		enum engine_stop stop = watch ? watch_here(t, n, points, count, &hit.address, error) : ENGINE_UNTIL;
		if (stop == ENGINE_FAILED)
			return hit;
		if (stop == ENGINE_WATCHPOINT) {
			hit.stop = timeline_goto(t, n, error) ? TIMELINE_WATCHPOINT : TIMELINE_FAILED;
			return hit;
		}
		if (n >= t->end_n) {
			hit.stop = timeline_goto(t, t->end_n, error) ? TIMELINE_END : TIMELINE_FAILED;
			return hit;
		}
		if (!timeline_goto(t, ++n, error))
			return hit;
		if (is_breakpoint_here(t, points, count, &hit.address)) {
			hit.stop = TIMELINE_BREAKPOINT;
			return hit;
		}
		if (!timeline_inside_exclusive(t)) {
			hit.stop = TIMELINE_INTERRUPTED;
			return hit;
		}
	}
}

/* Runs on from the current place to the next hit before `limit`, taking checkpoints where there are none yet. Answers
 * TIMELINE_END at the limit. */
static struct timeline_hit run_on(struct timeline *t, uint64_t limit, const struct hv_debug_point *points, size_t count,
				  struct error *error)
{
	struct timeline_hit hit = {TIMELINE_FAILED, 0};
	for (;;) {
		uint64_t here = timeline_n(t);
		uint64_t next_checkpoint =
			t->base + 1 < t->checkpoints.count ? t->checkpoints.at[t->base + 1].n : limit;
		bool known = next_checkpoint < here + 2 * TIMELINE_STRIDE_INSNS;
		uint64_t next = known ? 0 : timeline_safe_first(t, here + TIMELINE_STRIDE_INSNS, limit, error);
		uint64_t until = next != 0 ? next : limit;
		switch (engine_run(t->engine, until, points, count, &hit.address, error)) {
		case ENGINE_BREAKPOINT:
			hit.stop = TIMELINE_BREAKPOINT;
			return hit;
		case ENGINE_WATCHPOINT:
			hit.stop = TIMELINE_WATCHPOINT;
			return hit;
		case ENGINE_INTERRUPTED:
			hit.stop = TIMELINE_INTERRUPTED;
			return hit;
		case ENGINE_END:
			hit.stop = TIMELINE_END;
			return hit;
		case ENGINE_UNTIL:
			break;
		case ENGINE_FAILED:
			return hit;
		}
		if (until >= limit) {
			hit.stop = TIMELINE_END;
			return hit;
		}
		if (checkpoints_before(&t->checkpoints, until) == t->base && !timeline_checkpoint_here(t, error))
			return hit;
	}
}

/* The next hit after the current place and before `limit`. TIMELINE_END: there is none. */
static struct timeline_hit next_hit(struct timeline *t, uint64_t limit, bool first_watch,
				    const struct hv_debug_point *points, size_t count, struct error *error)
{
	struct timeline_hit hit = step_over(t, timeline_n(t), first_watch, points, count, error);
	if (hit.stop != TIMELINE_INTERRUPTED)
		return hit;
	if (timeline_n(t) >= limit)
		return (struct timeline_hit){TIMELINE_END, 0};
	return run_on(t, limit, points, count, error);
}

struct found {
	struct timeline_hit hit; /* TIMELINE_BEGIN: nothing */
	uint64_t n;
};

/* The last hit at or after checkpointed position `low` and before `high`. */
static struct found last_hit(struct timeline *t, uint64_t low, uint64_t high, const struct hv_debug_point *points,
			     size_t count, struct error *error)
{
	struct found found = {{TIMELINE_BEGIN, 0}, 0};
	unsigned hits = 0;
	if (!timeline_goto(t, low, error))
		return (struct found){{TIMELINE_FAILED, 0}, 0};
	if (is_breakpoint_here(t, points, count, &found.hit.address))
		found = (struct found){{TIMELINE_BREAKPOINT, found.hit.address}, low};
	for (bool first_watch = true;; first_watch = false) {
		struct timeline_hit hit = next_hit(t, high, first_watch, points, count, error);
		if (hit.stop == TIMELINE_FAILED || hit.stop == TIMELINE_INTERRUPTED)
			return (struct found){hit, timeline_n(t)};
		if (hit.stop == TIMELINE_END || timeline_n(t) >= high)
			return found;
		found = (struct found){hit, timeline_n(t)};
		uint64_t middle = ++hits % HITS_BEFORE_HALVING == 0
					  ? timeline_safe_first(t, found.n + (high - found.n) / 2, high - 1, error)
					  : 0;
		if (middle == 0)
			continue;
		struct found later = last_hit(t, middle, high, points, count, error);
		if (later.hit.stop != TIMELINE_BEGIN)
			return later;
		high = middle;
		if (!timeline_goto(t, found.n, error))
			return (struct found){{TIMELINE_FAILED, 0}, 0};
	}
}

/* The last hit before `high`, not before `low_limit`. */
static struct found reverse_hit(struct timeline *t, uint64_t low_limit, uint64_t high,
				const struct hv_debug_point *points, size_t count, struct error *error)
{
	struct found found = {{TIMELINE_BEGIN, 0}, 0};
	while (high > low_limit && found.hit.stop == TIMELINE_BEGIN) {
		uint64_t low = t->checkpoints.at[checkpoints_before(&t->checkpoints, high - 1)].n;
		low = low > low_limit ? low : low_limit;
		found = last_hit(t, low, high, points, count, error);
		high = low;
	}
	return found;
}

/* The CPU has only so many breakpoints and watchpoints. More points than that are run with in groups, one after the
 * other over the same stretch, which the guest cannot tell from all at once. Takes the next group from `points`. */
static size_t group_take(const struct hv_debug_point *points, size_t count, size_t *at,
			 struct hv_debug_point group[HV_DEBUG_POINTS_MAX])
{
	size_t breakpoints = 0, watchpoints = 0;
	for (; *at < count; (*at)++) {
		bool watchpoint = points[*at].bytes != 0;
		if ((watchpoint ? watchpoints : breakpoints) ==
		    (watchpoint ? (size_t)GUEST_WATCHPOINT_COUNT : (size_t)GUEST_BREAKPOINT_COUNT))
			break;
		group[breakpoints + watchpoints] = points[*at];
		breakpoints += !watchpoint;
		watchpoints += watchpoint;
	}
	return breakpoints + watchpoints;
}

struct timeline_hit timeline_continue(struct timeline *t, bool skip_access, const struct hv_debug_point *points,
				      size_t count, struct error *error)
{
	struct hv_debug_point group[HV_DEBUG_POINTS_MAX];
	struct timeline_hit best = {TIMELINE_END, 0};
	uint64_t from_n = timeline_n(t), limit = t->end_n;
	size_t at = 0;
	do {
		size_t group_count = group_take(points, count, &at, group);
		if (timeline_n(t) != from_n && !timeline_goto(t, from_n, error))
			return (struct timeline_hit){TIMELINE_FAILED, 0};
		struct timeline_hit hit = next_hit(t, limit, !skip_access, group, group_count, error);
		if (hit.stop == TIMELINE_FAILED || hit.stop == TIMELINE_INTERRUPTED)
			return hit;
		if (hit.stop != TIMELINE_END && (best.stop == TIMELINE_END || timeline_n(t) < limit)) {
			best = hit;
			limit = timeline_n(t);
		}
	} while (at < count);
	if (timeline_n(t) != limit && !timeline_goto(t, limit, error))
		best.stop = TIMELINE_FAILED;
	return best;
}

struct timeline_hit timeline_reverse(struct timeline *t, bool skip_access, const struct hv_debug_point *points,
				     size_t count, struct error *error)
{
	struct hv_debug_point group[HV_DEBUG_POINTS_MAX];
	struct found best = {{TIMELINE_BEGIN, 0}, timeline_start_n(t)};
	uint64_t high = timeline_n(t);
	size_t at = 0;
	if (skip_access && high > timeline_start_n(t)) {
		if (!timeline_goto(t, --high, error))
			return (struct timeline_hit){TIMELINE_FAILED, 0};
		if (is_breakpoint_here(t, points, count, &best.hit.address))
			return (struct timeline_hit){TIMELINE_BREAKPOINT, best.hit.address};
	}
	do {
		size_t group_count = group_take(points, count, &at, group);
		struct found found = reverse_hit(t, best.n, high, group, group_count, error);
		if (found.hit.stop == TIMELINE_FAILED || found.hit.stop == TIMELINE_INTERRUPTED)
			return found.hit;
		if (found.hit.stop != TIMELINE_BEGIN)
			best = found;
	} while (at < count);
	if (!timeline_goto(t, best.n + (best.hit.stop == TIMELINE_WATCHPOINT ? 1 : 0), error))
		best.hit.stop = TIMELINE_FAILED;
	return best.hit;
}
