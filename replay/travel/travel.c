/* Continue and reverse-continue. A search that becomes long is divided between this timeline and its scouts.
 */
#include "replay/travel/travel.h"
#include "replay/travel/scouts.h"

struct timeline *travel_open(const char *trace, uint64_t n, unsigned jobs, struct error *error)
{
	struct timeline *t = timeline_open(trace, n, error);
	if (t && jobs > 1)
		t->scouts = scouts_new(trace, timeline_start_n(t), jobs - 1, error);
	if (!t || error->status == STATUS_OK)
		return t;
	timeline_close(t);
	return NULL;
}

void travel_close(struct timeline *timeline)
{
	if (timeline)
		scouts_free(timeline->scouts);
	timeline_close(timeline);
}

/* Where scouts join in a search that has come as far as `n`, forwards: at the first checkpoint that is far enough. */
static uint64_t scouts_join(const struct timeline *t, uint64_t n, uint64_t limit)
{
	const struct checkpoints *all = &t->checkpoints;
	if (!t->scouts || limit - n <= SCOUTS_LONG_INSNS)
		return limit;
	size_t next = checkpoints_before(all, n + SCOUTS_LONG_INSNS) + 1;
	return next < all->count && all->at[next].n < limit ? all->at[next].n : limit;
}

/* Backwards. */
static uint64_t scouts_join_back(const struct timeline *t, uint64_t n, uint64_t limit)
{
	if (!t->scouts || n - limit <= SCOUTS_LONG_INSNS)
		return limit;
	uint64_t join = t->checkpoints.at[checkpoints_before(&t->checkpoints, n - SCOUTS_LONG_INSNS)].n;
	return join > limit ? join : limit;
}

/* The first hit at or after checkpointed position `low` and before `limit`, where the timeline is then. */
static struct timeline_hit continue_with_scouts(struct timeline *t, uint64_t low, uint64_t limit,
						const struct hv_debug_point *points, size_t count, struct error *error)
{
	bool here;
	struct timeline_found found = scouts_search(t, false, low, limit, points, count, &here, error);
	bool hit = found.hit.stop == TIMELINE_BREAKPOINT || found.hit.stop == TIMELINE_WATCHPOINT;
	if (here || found.hit.stop == TIMELINE_FAILED)
		return found.hit;
	if (hit ? !search_goto_hit(t, found.n, &found.hit, error) : !timeline_goto(t, found.n, error))
		return (struct timeline_hit){TIMELINE_FAILED, 0};
	/* Who goes on from here takes a breakpoint here for one that was told. */
	if (found.hit.stop == TIMELINE_INTERRUPTED && search_breakpoint_here(t, points, count, &found.hit.address))
		found.hit.stop = TIMELINE_BREAKPOINT;
	return found.hit;
}

/* The last hit before `high`, not before `low_limit`. */
static struct timeline_found reverse_hit(struct timeline *t, uint64_t low_limit, uint64_t high,
					 const struct hv_debug_point *points, size_t count, struct error *error)
{
	bool here;
	uint64_t join = scouts_join_back(t, high, low_limit);
	struct timeline_found found = search_stretch(t, true, join, high, points, count, error);
	if (found.hit.stop != TIMELINE_BEGIN || join <= low_limit)
		return found;
	return scouts_search(t, true, low_limit, join, points, count, &here, error);
}

static bool is_before(const struct timeline_found *a, const struct timeline_found *b)
{
	return a->n < b->n || (a->n == b->n && a->rank < b->rank);
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
			   struct timeline_found *best, struct error *error)
{
	uint64_t limit = best->rank == TIMELINE_RANK_PLACE ? best->n : best->n + 1;
	uint64_t join = scouts_join(t, timeline_n(t), limit);
	struct timeline_hit hit = search_next_hit(t, join, first_watch, group, count, error);
	if (hit.stop == TIMELINE_END && join < limit)
		hit = continue_with_scouts(t, join, limit, group, count, error);
	struct timeline_found found = search_found_here(t, hit);
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
	struct timeline_found best = {{TIMELINE_END, 0}, limit, TIMELINE_RANK_PLACE};
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
	    !search_goto_hit(t, best.n, &best.hit, error))
		best.hit.stop = TIMELINE_FAILED;
	return best.hit;
}

/* Several groups go on stretch by stretch, so that an interrupt loses little. */
static struct timeline_hit continue_to_end(struct timeline *t, bool skip_access, const struct hv_debug_point *points,
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
		if (search_breakpoint_here(t, points, count, &hit.address)) {
			hit.stop = TIMELINE_BREAKPOINT;
			return hit;
		}
	}
}

/* The rest of the way to the end, where all that can be hit is the vector. */
static struct timeline_hit go_to_end(struct timeline *t, const struct hv_debug_point *points, size_t count,
				     struct error *error)
{
	struct timeline_hit hit = {TIMELINE_END, 0};
	if (t->end_pc == 0)
		return hit;
	if (timeline_is_before_end(t) && !timeline_goto_end(t, error))
		hit.stop = TIMELINE_FAILED;
	else if (search_breakpoint_here(t, points, count, &hit.address))
		hit.stop = TIMELINE_BREAKPOINT;
	return hit;
}

static void search_begin(struct timeline *t, bool reverse)
{
	uint64_t n = timeline_n(t), limit_n = reverse ? timeline_start_n(t) : t->end_n;
	t->search =
		(struct timeline_search){.on = true, .reverse = reverse, .from_n = n, .limit_n = limit_n, .at_n = n};
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

bool travel_progress(const struct timeline *t, struct timeline_progress *progress)
{
	const struct timeline_search *search = &t->search;
	uint64_t now_n = t->engine->machine->mailbox->now_n, clean = 0, known = 0;
	uint64_t left = distance(search->at_n, search->limit_n), done = search->looked;
	if (!search->reverse && !search->shared && now_n > search->at_n && now_n <= search->limit_n) {
		left -= now_n - search->at_n;
		done += now_n - search->at_n;
	}
	if (search->shared)
		scouts_progress(t->scouts, &clean, &known);
	left += search->groups * distance(search->from_n, search->limit_n) - clean;
	*progress = (struct timeline_progress){search->reverse, search->from_n, done + clean - known, left};
	return search->on;
}

uint64_t travel_searched_back(struct timeline *t, const struct hv_debug_point *points, size_t count)
{
	struct hv_debug_point group[HV_DEBUG_POINTS_MAX];
	uint64_t searched = timeline_start_n(t);
	size_t at = 0;
	do {
		size_t group_count = group_take(points, count, &at, group);
		const struct hit_set *set = search_known(t, group, group_count);
		uint64_t n = timeline_n(t);
		struct hit hit;
		if (set && hits_before(set, &n, &hit))
			n = hit.n + 1;
		searched = n > searched ? n : searched;
	} while (at < count);
	return searched;
}

/* QEMU makes an access of several words word by word, so the first ones may be done where a later one is watched. */
struct timeline_hit travel_continue(struct timeline *t, bool skip_access, const struct hv_debug_point *points,
				    size_t count, struct error *error)
{
	struct timeline_place end = {t->end_n, t->end_pc}, here = timeline_place(t);
	if (here.n == end.n && here.pc == end.pc)
		return (struct timeline_hit){TIMELINE_END, 0};
	search_begin(t, false);
	struct timeline_hit hit = continue_to_end(t, skip_access, points, count, error);
	t->search.on = false;
	if (hit.stop == TIMELINE_END)
		hit = go_to_end(t, points, count, error);
	if (hit.stop == TIMELINE_WATCHPOINT && !timeline_return(t, timeline_place(t), error))
		hit.stop = TIMELINE_FAILED;
	return hit;
}

/* From a vector that shares its position, back to the place before. Answers whether a breakpoint is hit there. */
static enum engine_stop leave_vector(struct timeline *t, const struct hv_debug_point *points, size_t count,
				     uint64_t *address, struct error *error)
{
	const struct guest_state *state = timeline_state(t);
	uint64_t pc = state->vcpu[state->current].pc;
	if (!timeline_is_vector(t, pc))
		return ENGINE_UNTIL;
	if (!timeline_goto(t, timeline_n(t), error))
		return ENGINE_FAILED;
	bool left = state->vcpu[state->current].pc != pc;
	return left && search_breakpoint_here(t, points, count, address) ? ENGINE_BREAKPOINT : ENGINE_UNTIL;
}

struct timeline_hit travel_reverse(struct timeline *t, bool skip_access, const struct hv_debug_point *points,
				   size_t count, struct error *error)
{
	struct hv_debug_point group[HV_DEBUG_POINTS_MAX];
	struct timeline_found best = {{TIMELINE_BEGIN, 0}, timeline_start_n(t), TIMELINE_RANK_PLACE};
	uint64_t high = timeline_n(t);
	size_t at = 0;
	if (skip_access && high > timeline_start_n(t)) {
		if (!timeline_goto(t, --high, error))
			return (struct timeline_hit){TIMELINE_FAILED, 0};
		if (search_breakpoint_here(t, points, count, &best.hit.address))
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
	search_begin(t, true);
	do {
		size_t group_count = group_take(points, count, &at, group);
		t->search.at_n = high;
		t->search.groups = (count - at + GUEST_BREAKPOINT_COUNT - 1) / GUEST_BREAKPOINT_COUNT;
		struct timeline_found found = reverse_hit(t, best.n, high, group, group_count, error);
		t->search.on = false;
		if (found.hit.stop == TIMELINE_FAILED || found.hit.stop == TIMELINE_INTERRUPTED)
			return found.hit;
		t->search.on = at < count;
		if (found.hit.stop != TIMELINE_BEGIN && !(best.hit.stop != TIMELINE_BEGIN && is_before(&found, &best)))
			best = found;
	} while (at < count);
	t->search.on = false;
	if (!search_goto_hit(t, best.n + (best.hit.stop == TIMELINE_WATCHPOINT ? 1 : 0), &best.hit, error))
		best.hit.stop = TIMELINE_FAILED;
	return best.hit;
}
