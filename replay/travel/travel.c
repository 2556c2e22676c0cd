/* Continue and reverse-continue. A search that becomes long is divided between this timeline and its scouts.
 */
#include "replay/travel/travel.h"
#include "replay/travel/scouts.h"

static const struct stop none = {STOP_NONE, 0}, failed = {STOP_FAILED, 0};

struct timeline *travel_open(const char *trace, uint64_t n, unsigned jobs, struct interruption *interruption,
			     struct error *error)
{
	struct timeline *t = timeline_open(trace, n, interruption, error);
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

/* The first hit of a span that begins at a checkpoint, where the timeline is then. */
static struct stop continue_with_scouts(struct timeline *t, const struct search *search, struct span span,
					struct error *error)
{
	bool here;
	struct hit found = scouts_search(t, search, span, &here, error);
	if (here || found.stop.kind == STOP_FAILED)
		return found.stop;
	if (hit_is_one(&found) ? !search_goto_hit(t, found.n, &found.stop, error) : !timeline_goto(t, found.n, error))
		return failed;
	/* Who goes on from here takes a breakpoint here for one that was reported. */
	struct stop breakpoint = search_breakpoint_here(t, search->points);
	return found.stop.kind == STOP_INTERRUPTED && breakpoint.kind == STOP_BREAKPOINT ? breakpoint : found.stop;
}

/* The last hit of the span. */
static struct hit reverse_hit(struct timeline *t, const struct search *search, struct span span, struct error *error)
{
	bool here;
	uint64_t join = scouts_join_back(t, span.high, span.low);
	struct hit found = search_span(t, search, (struct span){join, span.high}, error);
	if (found.stop.kind != STOP_NONE || join <= span.low)
		return found;
	return scouts_search(t, search, (struct span){span.low, join}, &here, error);
}

/* The CPU has only so many breakpoints and watchpoints. More points than that are run with in groups, one after the
 * other over the same stretch, which the guest cannot tell from all at once. Takes the next group from `points`. */
static struct points group_take(struct points points, size_t *at, struct hv_debug_point group[HV_DEBUG_POINTS_MAX])
{
	size_t breakpoints = 0, watchpoints = 0;
	for (; *at < points.count; (*at)++) {
		bool watchpoint = points.at[*at].bytes != 0;
		if ((watchpoint ? watchpoints : breakpoints) ==
		    (watchpoint ? (size_t)GUEST_WATCHPOINT_COUNT : (size_t)GUEST_BREAKPOINT_COUNT))
			break;
		group[breakpoints + watchpoints] = points.at[*at];
		breakpoints += !watchpoint;
		watchpoints += watchpoint;
	}
	return (struct points){group, breakpoints + watchpoints, points.conditions};
}

/* Looks for a hit of one group that comes before `best`, the hit of those before. Answers whether there is one. */
static bool group_continue(struct timeline *t, const struct search *search, struct hit *best, struct error *error)
{
	uint64_t limit = best->rank == HIT_PLACE ? best->n : best->n + 1;
	uint64_t join = scouts_join(t, timeline_n(t), limit);
	struct stop stop = search_next_hit(t, search, join, error);
	if (stop.kind == STOP_NONE && join < limit)
		stop = continue_with_scouts(t, search, (struct span){join, limit}, error);
	struct hit found = search_hit_here(t, stop);
	if (stop.kind == STOP_NONE || (hit_is_one(&found) && hit_is_one(best) && !hit_is_before(&found, best)))
		return false;
	*best = found;
	return true;
}

/* The first hit of any group from the current place to `limit`. Interrupted, it is where it began if another group may
 * have a hit before there. */
static struct stop continue_to(struct timeline *t, const struct search *search, uint64_t limit, struct error *error)
{
	struct hv_debug_point group[HV_DEBUG_POINTS_MAX];
	struct hit best = {.n = limit};
	struct timeline_place origin = timeline_place(t);
	struct search one = *search;
	size_t at = 0;
	bool moved = false, found = false;
	do {
		one.points = group_take(search->points, &at, group);
		if (moved && !timeline_return(t, origin, error))
			return failed;
		found = group_continue(t, &one, &best, error);
		if (best.stop.kind == STOP_INTERRUPTED && search->points.count > one.points.count &&
		    !timeline_return(t, origin, error))
			return failed;
		if (best.stop.kind == STOP_FAILED || best.stop.kind == STOP_INTERRUPTED)
			return best.stop;
		moved = true;
	} while (at < search->points.count);
	bool here = found || (best.stop.kind == STOP_NONE && timeline_n(t) == best.n);
	return here || search_goto_hit(t, best.n, &best.stop, error) ? best.stop : failed;
}

/* Several groups go on stretch by stretch, so that an interrupt loses little. STOP_NONE: the timeline is at end_n. */
static struct stop continue_stretches(struct timeline *t, const struct search *search, uint64_t end_n,
				      struct error *error)
{
	struct hv_debug_point group[HV_DEBUG_POINTS_MAX];
	struct search stretch = *search;
	size_t at = 0;
	group_take(search->points, &at, group);
	for (;; stretch.skip_access = false) {
		uint64_t left = end_n - timeline_n(t);
		bool last = at == search->points.count || left <= TIMELINE_STRIDE_INSNS;
		uint64_t limit = last ? end_n : timeline_n(t) + TIMELINE_STRIDE_INSNS;
		struct stop stop = continue_to(t, &stretch, limit, error);
		if (stop.kind != STOP_NONE || last)
			return stop;
		stop = search_breakpoint_here(t, search->points);
		if (stop.kind == STOP_BREAKPOINT)
			return stop;
	}
}

/* The rest of the way to the end, where all that can be hit is the vector. */
static struct stop go_to_end(struct timeline *t, struct points points, struct error *error)
{
	const struct stop end = {STOP_END, 0};
	if (t->end_pc == 0)
		return end;
	if (timeline_is_before_end(t) && !timeline_goto_end(t, error))
		return failed;
	struct stop stop = search_breakpoint_here(t, points);
	return stop.kind == STOP_BREAKPOINT ? stop : end;
}

static void course_begin(struct timeline *t, bool reverse, uint64_t limit_n)
{
	uint64_t n = timeline_n(t);
	t->course =
		(struct timeline_course){.on = true, .reverse = reverse, .from_n = n, .limit_n = limit_n, .at_n = n};
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

bool travel_progress(const struct timeline *t, struct travel_progress *progress)
{
	const struct timeline_course *course = &t->course;
	uint64_t now_n = engine_running_n(t->engine), clean = 0, known = 0;
	uint64_t left = distance(course->at_n, course->limit_n), done = course->looked;
	if (!course->reverse && !course->shared && now_n > course->at_n && now_n <= course->limit_n) {
		left -= now_n - course->at_n;
		done += now_n - course->at_n;
	}
	if (course->shared)
		scouts_progress(t->scouts, &clean, &known);
	left += course->groups * distance(course->from_n, course->limit_n) - clean;
	*progress = (struct travel_progress){course->reverse, course->from_n, done + clean - known, left};
	return course->on;
}

uint64_t travel_searched_back(struct timeline *t, struct points points)
{
	struct hv_debug_point group[HV_DEBUG_POINTS_MAX];
	uint64_t searched = timeline_start_n(t);
	size_t at = 0;
	do {
		const struct hit_set *set = search_known(t, group_take(points, &at, group));
		uint64_t n = timeline_n(t);
		struct hit hit;
		if (set && hits_before(set, &n, &hit))
			n = hit.n + 1;
		searched = n > searched ? n : searched;
	} while (at < points.count);
	return searched;
}

/* QEMU makes an access of several words word by word, so the first ones may be done where a later one is watched. */
static struct stop continue_on(struct timeline *t, const struct search *search, uint64_t limit_n, struct error *error)
{
	course_begin(t, false, limit_n);
	struct stop stop = continue_stretches(t, search, limit_n, error);
	t->course.on = false;
	if (stop.kind == STOP_WATCHPOINT && !timeline_return(t, timeline_place(t), error))
		return failed;
	return stop;
}

static struct stop continue_to_end(struct timeline *t, const struct search *search, struct error *error)
{
	struct timeline_place end = {t->end_n, t->end_pc}, here = timeline_place(t);
	if (here.n == end.n && here.pc == end.pc)
		return (struct stop){STOP_END, 0};
	struct stop stop = continue_on(t, search, t->end_n, error);
	return stop.kind == STOP_NONE ? go_to_end(t, search->points, error) : stop;
}

/* From a vector that shares its position, back to the place before. Answers a breakpoint there, STOP_NONE, or
 * STOP_FAILED. */
static struct stop leave_vector(struct timeline *t, struct points points, struct error *error)
{
	uint64_t pc = timeline_place(t).pc;
	if (!timeline_is_vector(t, pc))
		return none;
	if (!timeline_goto(t, timeline_n(t), error))
		return failed;
	return timeline_place(t).pc != pc ? search_breakpoint_here(t, points) : none;
}

/* The last hit of any group in the span. STOP_NONE: there is none, and the answer's position is the span's first. */
static struct hit last_hit(struct timeline *t, const struct search *search, struct span span, struct error *error)
{
	struct hv_debug_point group[HV_DEBUG_POINTS_MAX];
	struct search one = *search;
	struct hit best = {.n = span.low};
	size_t at = 0;
	do {
		one.points = group_take(search->points, &at, group);
		t->course.at_n = span.high;
		t->course.groups = (search->points.count - at + GUEST_BREAKPOINT_COUNT - 1) / GUEST_BREAKPOINT_COUNT;
		struct hit found = reverse_hit(t, &one, (struct span){best.n, span.high}, error);
		if (found.stop.kind == STOP_FAILED || found.stop.kind == STOP_INTERRUPTED)
			return found;
		if (hit_is_one(&found) && !(hit_is_one(&best) && hit_is_before(&found, &best)))
			best = found;
	} while (at < search->points.count);
	return best;
}

/* Back to position `low`: STOP_NONE. */
static struct stop continue_back(struct timeline *t, const struct search *search, uint64_t low, struct error *error)
{
	uint64_t high = timeline_n(t);
	if (search->skip_access && high > low) {
		if (!timeline_goto(t, --high, error))
			return failed;
		struct stop stop = search_breakpoint_here(t, search->points);
		if (stop.kind == STOP_BREAKPOINT)
			return stop;
	}
	struct stop stop = leave_vector(t, search->points, error);
	if (stop.kind != STOP_NONE)
		return stop;
	course_begin(t, true, low);
	struct hit best = last_hit(t, search, (struct span){low, high}, error);
	t->course.on = false;
	if (best.stop.kind == STOP_FAILED || best.stop.kind == STOP_INTERRUPTED)
		return best.stop;
	if (!search_goto_hit(t, best.n + (best.stop.kind == STOP_WATCHPOINT ? 1 : 0), &best.stop, error))
		return failed;
	return best.stop;
}

struct stop travel_continue(struct timeline *t, const struct search *search, struct error *error)
{
	if (!search->reverse)
		return continue_to_end(t, search, error);
	struct stop stop = continue_back(t, search, timeline_start_n(t), error);
	return stop.kind == STOP_NONE ? (struct stop){STOP_BEGIN, 0} : stop;
}

struct stop travel_continue_to(struct timeline *t, const struct search *search, uint64_t n, struct error *error)
{
	return search->reverse ? continue_back(t, search, n, error) : continue_on(t, search, n, error);
}
