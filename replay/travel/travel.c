/* Continue and reverse-continue, and steps. A search that becomes long is divided between this timeline and its scouts.
 */
#include "replay/travel/scouts.h"

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
	if (hit ? !timeline_goto_hit(t, found.n, &found.hit, error) : !timeline_goto(t, found.n, error))
		return (struct timeline_hit){TIMELINE_FAILED, 0};
	/* Who goes on from here takes a breakpoint here for one that was told. */
	if (found.hit.stop == TIMELINE_INTERRUPTED && timeline_breakpoint_here(t, points, count, &found.hit.address))
		found.hit.stop = TIMELINE_BREAKPOINT;
	return found.hit;
}

/* The last hit before `high`, not before `low_limit`. */
static struct timeline_found reverse_hit(struct timeline *t, uint64_t low_limit, uint64_t high,
					 const struct hv_debug_point *points, size_t count, struct error *error)
{
	bool here;
	uint64_t join = scouts_join_back(t, high, low_limit);
	struct timeline_found found = timeline_search(t, true, join, high, points, count, error);
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
	struct timeline_hit hit = timeline_next_hit(t, join, first_watch, group, count, error);
	if (hit.stop == TIMELINE_END && join < limit)
		hit = continue_with_scouts(t, join, limit, group, count, error);
	struct timeline_found found = timeline_found_here(t, hit);
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
	    !timeline_goto_hit(t, best.n, &best.hit, error))
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
		if (timeline_breakpoint_here(t, points, count, &hit.address)) {
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
	else if (timeline_breakpoint_here(t, points, count, &hit.address))
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

bool timeline_progress(const struct timeline *t, struct timeline_progress *progress)
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

uint64_t timeline_searched_back(struct timeline *t, const struct hv_debug_point *points, size_t count)
{
	struct hv_debug_point group[HV_DEBUG_POINTS_MAX];
	uint64_t searched = timeline_start_n(t);
	size_t at = 0;
	do {
		size_t group_count = group_take(points, count, &at, group);
		const struct hit_set *set = timeline_known(t, group, group_count);
		uint64_t n = timeline_n(t);
		struct hit hit;
		if (set && hits_before(set, &n, &hit))
			n = hit.n + 1;
		searched = n > searched ? n : searched;
	} while (at < count);
	return searched;
}

/* QEMU makes an access of several words word by word, so the first ones may be done where a later one is watched. */
struct timeline_hit timeline_continue(struct timeline *t, bool skip_access, const struct hv_debug_point *points,
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
	return left && timeline_breakpoint_here(t, points, count, address) ? ENGINE_BREAKPOINT : ENGINE_UNTIL;
}

struct timeline_hit timeline_reverse(struct timeline *t, bool skip_access, const struct hv_debug_point *points,
				     size_t count, struct error *error)
{
	struct hv_debug_point group[HV_DEBUG_POINTS_MAX];
	struct timeline_found best = {{TIMELINE_BEGIN, 0}, timeline_start_n(t), TIMELINE_RANK_PLACE};
	uint64_t high = timeline_n(t);
	size_t at = 0;
	if (skip_access && high > timeline_start_n(t)) {
		if (!timeline_goto(t, --high, error))
			return (struct timeline_hit){TIMELINE_FAILED, 0};
		if (timeline_breakpoint_here(t, points, count, &best.hit.address))
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
	if (!timeline_goto_hit(t, best.n + (best.hit.stop == TIMELINE_WATCHPOINT ? 1 : 0), &best.hit, error))
		best.hit.stop = TIMELINE_FAILED;
	return best.hit;
}

/* As many of the watchpoints as the CPU has. */
static size_t watchpoints_take(const struct hv_debug_point *points, size_t count, size_t *at,
			       struct hv_debug_point group[GUEST_WATCHPOINT_COUNT])
{
	size_t taken = 0;
	for (; *at < count && taken < GUEST_WATCHPOINT_COUNT; (*at)++) {
		if (points[*at].bytes != 0)
			group[taken++] = points[*at];
	}
	return taken;
}

/* Whether the instruction at position `n` accesses a watched place. The timeline is anywhere then. */
static enum engine_stop access_at(struct timeline *t, uint64_t n, const struct hv_debug_point *points, size_t count,
				  uint64_t *address, struct error *error)
{
	struct hv_debug_point group[GUEST_WATCHPOINT_COUNT];
	enum engine_stop stop = ENGINE_UNTIL;
	size_t at = 0, taken;
	while (stop == ENGINE_UNTIL && (taken = watchpoints_take(points, count, &at, group)) > 0) {
		if (timeline_n(t) != n && !timeline_goto(t, n, error))
			return ENGINE_FAILED;
		stop = timeline_run_over(t, group, taken, address, error);
		if (stop == ENGINE_END)
			stop = ENGINE_UNTIL; /* for this group; others may have a hit before the trace's end */
	}
	return stop;
}

/* Whether an exception at position `n` leads to a vector with a breakpoint that shares the position, where the timeline
 * is then. Else it is anywhere. */
static enum engine_stop vector_at(struct timeline *t, uint64_t n, const struct hv_debug_point *points, size_t count,
				  uint64_t *address, struct error *error)
{
	enum engine_stop stop = ENGINE_UNTIL;
	for (size_t i = 0; i < count && stop == ENGINE_UNTIL; i++) {
		if (points[i].bytes != 0 || !timeline_is_vector(t, points[i].address))
			continue;
		if (!timeline_goto(t, n, error))
			return ENGINE_FAILED;
		if (timeline_place(t).pc != points[i].address)
			stop = timeline_run_through(t, n + 1, &points[i], 1, address, error);
		if (stop == ENGINE_END)
			stop = ENGINE_UNTIL; /* as in access_at */
	}
	return stop == ENGINE_BREAKPOINT && timeline_n(t) != n ? ENGINE_UNTIL : stop;
}

/* From a vector that shares its position, the step back leads to the place before. */
static bool step_to_place(struct timeline *t, struct timeline_hit *hit, struct error *error)
{
	struct timeline_place here = timeline_place(t);
	if (!timeline_is_vector(t, here.pc))
		return false;
	if (!timeline_goto(t, here.n, error))
		hit->stop = TIMELINE_FAILED;
	return hit->stop == TIMELINE_FAILED || timeline_place(t).pc != here.pc;
}

/* Whether there is something between two positions, in the order of the direction. */
static enum engine_stop between(struct timeline *t, uint64_t n, bool reverse, bool skip_access,
				const struct hv_debug_point *points, size_t count, uint64_t *address,
				struct error *error)
{
	struct timeline_place here = timeline_place(t);
	enum engine_stop stop = ENGINE_UNTIL;
	bool at_vector = here.n == n && timeline_is_vector(t, here.pc);
	if (!reverse && !at_vector)
		stop = vector_at(t, n, points, count, address, error);
	if (stop == ENGINE_UNTIL && !skip_access)
		stop = access_at(t, n, points, count, address, error);
	if (stop == ENGINE_UNTIL && reverse)
		stop = vector_at(t, n, points, count, address, error);
	return stop;
}

/* The trace has a trap at `n` that the hardware may have over-counted, so that its instruction stands before `n`. */
static bool may_be_over_counted(const struct timeline *t, uint64_t n, struct error *error)
{
	uint64_t index = events_find(t->engine->events, n, error);
	if (index >= events_count(t->engine->events))
		return false;
	const struct event *event = events_get(t->engine->events, index, error);
	return event && event->n == n && (event->kind == EVENT_SYSREG_READ || event->kind == EVENT_SYSREG_DENIED);
}

/* The position before `n`. The timeline is anywhere then. */
static bool position_before(struct timeline *t, uint64_t *n, struct error *error)
{
	uint64_t from_n = (*n)--;
	if (!may_be_over_counted(t, *n, error))
		return error->status == STATUS_OK;
	while (timeline_goto(t, *n, error) && timeline_n(t) >= from_n && *n > timeline_start_n(t))
		--*n;
	return error->status == STATUS_OK;
}

struct timeline_hit timeline_step(struct timeline *t, bool reverse, bool skip_access,
				  const struct hv_debug_point *points, size_t count, struct error *error)
{
	struct timeline_hit hit = {TIMELINE_STEPPED, 0};
	if (reverse && step_to_place(t, &hit, error))
		return hit;
	struct timeline_place here = timeline_place(t);
	uint64_t n = here.n;
	if (!reverse && timeline_is_before_end(t)) {
		hit.stop = timeline_goto_end(t, error) ? TIMELINE_STEPPED : TIMELINE_FAILED;
		return hit;
	}
	if (n == (reverse ? timeline_start_n(t) : t->end_n))
		return (struct timeline_hit){reverse ? TIMELINE_BEGIN : TIMELINE_END, 0};
	if (reverse && !position_before(t, &n, error))
		return (struct timeline_hit){TIMELINE_FAILED, 0};
	enum engine_stop stop = between(t, n, reverse, skip_access, points, count, &hit.address, error);
	if (stop == ENGINE_BREAKPOINT)
		hit.stop = TIMELINE_BREAKPOINT;
	else if (stop == ENGINE_WATCHPOINT)
		hit.stop = timeline_return(t, here, error) ? TIMELINE_WATCHPOINT : TIMELINE_FAILED;
	else if (stop == ENGINE_FAILED || !timeline_goto(t, reverse ? n : n + 1, error))
		hit.stop = TIMELINE_FAILED;
	return hit;
}
