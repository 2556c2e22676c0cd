/* Continue and reverse-continue. rr's ReplayTimeline is the model: backwards is the last hit of a run forwards from the
 * checkpoint before, and where a stretch has many hits, its later half is run first.
 *
 * A vector may share its position with the place where the exception came: an interrupt, or an instruction that does
 * not retire. timeline_goto goes to the place before; a hit at such a vector is the later of two places. */
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

/* Arm ARM D1.3.1.5: sixteen vectors. */
enum { VECTOR_BYTES = 0x80, VECTORS_BYTES = 0x800 };

static bool is_vector(const struct timeline *t, uint64_t address)
{
	const struct guest_state *state = timeline_state(t);
	uint64_t offset = address - state->vcpu[state->current].vbar_el1;
	return offset < VECTORS_BYTES && offset % VECTOR_BYTES == 0;
}

/* Goes to where `hit` was, at position `n`. */
static bool goto_hit(struct timeline *t, uint64_t n, const struct timeline_hit *hit, struct error *error)
{
	struct hv_debug_point point = {.address = hit->address};
	uint64_t address;
	if (!timeline_goto(t, n, error))
		return false;
	if (hit->stop != TIMELINE_BREAKPOINT || is_breakpoint_here(t, &point, 1, &address))
		return true;
	return timeline_run_through(t, n + 1, &point, 1, &address, error) == ENGINE_BREAKPOINT ||
	       error_set(error, STATUS_FAILED, "the guest does not come to %#llx again",
			 (unsigned long long)point.address);
}

/* Whether the instruction at the current view `n` accesses a watched place, or an exception there leads to a vector
 * with a breakpoint; without a hit, leaves the view undefined. */
static enum engine_stop hit_here(struct timeline *t, uint64_t n, bool watch, const struct hv_debug_point *points,
				 size_t count, uint64_t *address, struct error *error)
{
	const struct guest_state *state = timeline_state(t);
	uint64_t pc = state->vcpu[state->current].pc;
	struct hv_debug_point armed[HV_DEBUG_POINTS_MAX];
	size_t armed_count = 0;
	for (size_t i = 0; i < count; i++) {
		bool vector = points[i].bytes == 0 && points[i].address != pc && is_vector(t, points[i].address);
		if (vector || (points[i].bytes != 0 && watch))
			armed[armed_count++] = points[i];
	}
	if (armed_count == 0)
		return ENGINE_UNTIL;
	return timeline_run_through(t, n + 1, armed, armed_count, address, error);
}

/* Steps over the instruction at `n`, and on out of an exclusive sequence, to a place to run on from. Answers a hit on
 * the way (`first_watch`: an access at `n` itself counts), or TIMELINE_INTERRUPTED for none. */
static struct timeline_hit step_over(struct timeline *t, uint64_t n, bool first_watch,
				     const struct hv_debug_point *points, size_t count, struct error *error)
{
	struct timeline_hit hit = {TIMELINE_FAILED, 0};
	for (bool watch = first_watch;; watch = true) {
		enum engine_stop stop = hit_here(t, n, watch, points, count, &hit.address, error);
		if (stop == ENGINE_FAILED)
			return hit;
		if (stop == ENGINE_BREAKPOINT) {
			hit.stop = TIMELINE_BREAKPOINT;
			return hit;
		}
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

/* Where to stop on the way from `here` to `limit`: at the last checkpoint before a stretch that has none, where one is
 * to be taken there, and at its end. */
static uint64_t next_stop(struct timeline *t, uint64_t here, uint64_t limit, struct error *error)
{
	const struct checkpoints *all = &t->checkpoints;
	uint64_t known = here;
	size_t next = checkpoints_before(all, here) + 1;
	for (; next < all->count && all->at[next].n < known + 2 * TIMELINE_STRIDE_INSNS; next++)
		known = all->at[next].n;
	uint64_t high = next < all->count && all->at[next].n < limit ? all->at[next].n : limit;
	uint64_t stop = known > here ? known : timeline_safe_first(t, here + TIMELINE_STRIDE_INSNS, high, error);
	return stop != 0 && stop < high ? stop : high;
}

/* At a stop on the way, `n`: what is dirty counts from here on. */
static bool stop_on_the_way(struct timeline *t, uint64_t n, struct error *error)
{
	size_t before = checkpoints_before(&t->checkpoints, n);
	if (t->checkpoints.at[before].n == n)
		return timeline_load(t, before, error);
	return timeline_checkpoint_here(t, error);
}

/* Runs on from the current place to the next hit before `limit`, taking checkpoints where there are none yet. Answers
 * TIMELINE_END at the limit. */
static struct timeline_hit run_on(struct timeline *t, uint64_t limit, const struct hv_debug_point *points, size_t count,
				  struct error *error)
{
	struct timeline_hit hit = {TIMELINE_FAILED, 0};
	for (;;) {
		uint64_t until = next_stop(t, timeline_n(t), limit, error);
		switch (engine_run(t->engine, until, points, count, &hit.address, error)) {
		case ENGINE_BREAKPOINT:
			hit.stop = TIMELINE_BREAKPOINT;
			return hit;
		case ENGINE_WATCHPOINT:
			hit.stop = TIMELINE_WATCHPOINT;
			return hit;
		case ENGINE_INTERRUPTED:
			/* Who goes on from here takes a breakpoint here for one that was told. */
			hit.stop = is_breakpoint_here(t, points, count, &hit.address) ? TIMELINE_BREAKPOINT
										      : TIMELINE_INTERRUPTED;
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
		if (!stop_on_the_way(t, until, error))
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

/* Of hits at one position: the instruction there, the vector that shares it, the access. */
enum rank { RANK_PLACE, RANK_VECTOR, RANK_ACCESS };

struct found {
	struct timeline_hit hit; /* TIMELINE_BEGIN, TIMELINE_END: nothing */
	uint64_t n;
	enum rank rank;
};

/* The hit that the timeline has just come to. */
static struct found found_here(const struct timeline *t, struct timeline_hit hit)
{
	bool vector = hit.stop == TIMELINE_BREAKPOINT && is_vector(t, hit.address);
	enum rank rank = hit.stop == TIMELINE_WATCHPOINT ? RANK_ACCESS : vector ? RANK_VECTOR : RANK_PLACE;
	return (struct found){hit, timeline_n(t), rank};
}

static bool is_before(const struct found *a, const struct found *b)
{
	return a->n < b->n || (a->n == b->n && a->rank < b->rank);
}

/* The last hit at or after checkpointed position `low` and before `high`. */
static struct found last_hit(struct timeline *t, uint64_t low, uint64_t high, const struct hv_debug_point *points,
			     size_t count, struct error *error)
{
	struct found found = {{TIMELINE_BEGIN, 0}, 0, RANK_PLACE};
	unsigned hits = 0;
	if (!timeline_goto(t, low, error))
		return (struct found){{TIMELINE_FAILED, 0}, 0, RANK_PLACE};
	if (is_breakpoint_here(t, points, count, &found.hit.address))
		found = found_here(t, (struct timeline_hit){TIMELINE_BREAKPOINT, found.hit.address});
	for (bool first_watch = true;; first_watch = found.hit.stop == TIMELINE_BREAKPOINT) {
		struct timeline_hit hit = next_hit(t, high, first_watch, points, count, error);
		if (hit.stop == TIMELINE_FAILED || hit.stop == TIMELINE_INTERRUPTED)
			return found_here(t, hit);
		if (hit.stop == TIMELINE_END || timeline_n(t) >= high)
			return found;
		found = found_here(t, hit);
		uint64_t middle = ++hits % HITS_BEFORE_HALVING == 0
					  ? timeline_safe_first(t, found.n + (high - found.n) / 2, high - 1, error)
					  : 0;
		if (middle == 0)
			continue;
		struct found later = last_hit(t, middle, high, points, count, error);
		if (later.hit.stop != TIMELINE_BEGIN)
			return later;
		high = middle;
		if (!goto_hit(t, found.n, &found.hit, error))
			return (struct found){{TIMELINE_FAILED, 0}, 0, RANK_PLACE};
	}
}

/* The last hit before `high`, not before `low_limit`. */
static struct found reverse_hit(struct timeline *t, uint64_t low_limit, uint64_t high,
				const struct hv_debug_point *points, size_t count, struct error *error)
{
	struct found found = {{TIMELINE_BEGIN, 0}, 0, RANK_PLACE};
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

/* Looks for a hit of one group that comes before `best`, the hit of those before. Answers whether there is one. */
static bool group_continue(struct timeline *t, bool first_watch, const struct hv_debug_point *group, size_t count,
			   struct found *best, struct error *error)
{
	uint64_t limit = best->rank == RANK_PLACE ? best->n : best->n + 1;
	struct timeline_hit hit = next_hit(t, limit, first_watch, group, count, error);
	struct found found = found_here(t, hit);
	bool failed = hit.stop == TIMELINE_FAILED || hit.stop == TIMELINE_INTERRUPTED;
	if (!failed && (hit.stop == TIMELINE_END || (best->hit.stop != TIMELINE_END && !is_before(&found, best))))
		return false;
	*best = found;
	return true;
}

/* The first hit of any group from the current place to `limit`. Interrupted, it is where it began if another group may
 * have a hit before there. */
static struct timeline_hit continue_to(struct timeline *t, uint64_t limit, bool first_watch,
				       const struct hv_debug_point *points, size_t count, struct error *error)
{
	struct hv_debug_point group[HV_DEBUG_POINTS_MAX];
	struct found best = {{TIMELINE_END, 0}, limit, RANK_PLACE};
	struct timeline_place origin = timeline_place(t);
	size_t at = 0;
	bool moved = false, found = false;
	do {
		size_t group_count = group_take(points, count, &at, group);
		if (moved && !timeline_return(t, origin, error))
			return (struct timeline_hit){TIMELINE_FAILED, 0};
		found = group_continue(t, first_watch, group, group_count, &best, error);
		if (best.hit.stop == TIMELINE_INTERRUPTED && count > group_count && !timeline_return(t, origin, error))
			best.hit.stop = TIMELINE_FAILED;
		if (best.hit.stop == TIMELINE_FAILED || best.hit.stop == TIMELINE_INTERRUPTED)
			return best.hit;
		moved = true;
	} while (at < count);
	if (!found && (timeline_n(t) != best.n || best.hit.stop != TIMELINE_END) &&
	    !goto_hit(t, best.n, &best.hit, error))
		best.hit.stop = TIMELINE_FAILED;
	return best.hit;
}

/* Several groups go on stretch by stretch, so that an interrupt loses little. */
struct timeline_hit timeline_continue(struct timeline *t, bool skip_access, const struct hv_debug_point *points,
				      size_t count, struct error *error)
{
	struct hv_debug_point group[HV_DEBUG_POINTS_MAX];
	size_t at = 0;
	group_take(points, count, &at, group);
	for (bool first_watch = !skip_access;; first_watch = true) {
		uint64_t left = t->end_n - timeline_n(t);
		bool last = at == count || left <= TIMELINE_STRIDE_INSNS;
		uint64_t limit = last ? t->end_n : timeline_n(t) + TIMELINE_STRIDE_INSNS;
		struct timeline_hit hit = continue_to(t, limit, first_watch, points, count, error);
		if (hit.stop != TIMELINE_END || last)
			return hit;
		if (is_breakpoint_here(t, points, count, &hit.address)) {
			hit.stop = TIMELINE_BREAKPOINT;
			return hit;
		}
	}
}

/* From a vector that shares its position, back to the place before. Answers whether a breakpoint is hit there. */
static enum engine_stop leave_vector(struct timeline *t, const struct hv_debug_point *points, size_t count,
				     uint64_t *address, struct error *error)
{
	const struct guest_state *state = timeline_state(t);
	uint64_t pc = state->vcpu[state->current].pc;
	if (!is_vector(t, pc))
		return ENGINE_UNTIL;
	if (!timeline_goto(t, timeline_n(t), error))
		return ENGINE_FAILED;
	bool left = state->vcpu[state->current].pc != pc;
	return left && is_breakpoint_here(t, points, count, address) ? ENGINE_BREAKPOINT : ENGINE_UNTIL;
}

struct timeline_hit timeline_reverse(struct timeline *t, bool skip_access, const struct hv_debug_point *points,
				     size_t count, struct error *error)
{
	struct hv_debug_point group[HV_DEBUG_POINTS_MAX];
	struct found best = {{TIMELINE_BEGIN, 0}, timeline_start_n(t), RANK_PLACE};
	uint64_t high = timeline_n(t);
	size_t at = 0;
	if (skip_access && high > timeline_start_n(t)) {
		if (!timeline_goto(t, --high, error))
			return (struct timeline_hit){TIMELINE_FAILED, 0};
		if (is_breakpoint_here(t, points, count, &best.hit.address))
			return (struct timeline_hit){TIMELINE_BREAKPOINT, best.hit.address};
	}
	switch (leave_vector(t, points, count, &best.hit.address, error)) {
	case ENGINE_BREAKPOINT:
		return (struct timeline_hit){TIMELINE_BREAKPOINT, best.hit.address};
	case ENGINE_FAILED:
		return (struct timeline_hit){TIMELINE_FAILED, 0};
	case ENGINE_UNTIL:
	case ENGINE_END:
	case ENGINE_WATCHPOINT:
	case ENGINE_INTERRUPTED:
		break;
	}
	do {
		size_t group_count = group_take(points, count, &at, group);
		struct found found = reverse_hit(t, best.n, high, group, group_count, error);
		if (found.hit.stop == TIMELINE_FAILED || found.hit.stop == TIMELINE_INTERRUPTED)
			return found.hit;
		if (found.hit.stop != TIMELINE_BEGIN && !(best.hit.stop != TIMELINE_BEGIN && is_before(&found, &best)))
			best = found;
	} while (at < count);
	if (!goto_hit(t, best.n + (best.hit.stop == TIMELINE_WATCHPOINT ? 1 : 0), &best.hit, error))
		best.hit.stop = TIMELINE_FAILED;
	return best.hit;
}
