/* Searching a stretch for hits. Backwards is the last hit of a run forwards from the checkpoint before, as in rr's
 * ReplayTimeline; that run goes on from each hit and keeps them all, for the next search back (replay/travel/hits.h).
 * Where a stretch has many hits, its later half is run first.
 *
 * A vector may share its position with the place where the exception came: an interrupt, or an instruction that does
 * not retire. timeline_goto goes to the place before; a hit at such a vector is the later of two places. */
#include "replay/travel/search.h"
#include "replay/guest/exclusive.h"

/* So many hits in one stretch, and it is halved, unless a half is shorter than that. */
enum { HITS_BEFORE_HALVING = 256, HALF_INSNS_MIN = 16 };

/* Of an exclusive sequence (Arm ARM B2.9.5). */
enum { SEQUENCE_INSNS_MAX = 32 };

static const struct stop none = {STOP_NONE, 0}, failed = {STOP_FAILED, 0};

struct stop search_breakpoint_here(const struct timeline *t, struct points points)
{
	uint64_t pc = timeline_vcpu(t)->pc;
	for (size_t i = 0; i < points.count; i++) {
		if (points.at[i].bytes == 0 && points.at[i].address == pc)
			return (struct stop){STOP_BREAKPOINT, pc};
	}
	return none;
}

bool search_goto_hit(struct timeline *t, uint64_t n, const struct stop *stop, struct error *error)
{
	const struct hv_debug_point point = {.address = stop->address};
	const struct points points = {&point, 1, NULL};
	if (!timeline_goto(t, n, error))
		return false;
	if (stop->kind != STOP_BREAKPOINT || search_breakpoint_here(t, points).kind == STOP_BREAKPOINT)
		return true;
	return timeline_run_through(t, n + 1, points, error).kind == STOP_BREAKPOINT ||
	       error_set(error, STATUS_FAILED, "the guest does not come to %#llx again",
			 (unsigned long long)point.address);
}

/* From inside an exclusive sequence back to before it, from where a run keeps what its store needs. */
static bool leave_exclusive_back(struct timeline *t, struct error *error)
{
	bool good = true;
	for (int back = 0; good && back < SEQUENCE_INSNS_MAX && timeline_inside_exclusive(t); back++)
		good = timeline_goto(t, timeline_n(t) - 1, error);
	return good;
}

struct stop search_run_over(struct timeline *t, struct points points, struct error *error)
{
	uint64_t n = timeline_n(t);
	struct hv_debug_point armed[HV_DEBUG_POINTS_MAX];
	size_t armed_count = 0;
	if (!exclusive_ends_here(timeline_memory(t), timeline_vcpu(t)))
		return timeline_run_through(t, n + 1, points, error);
	/* The load before is not to stop it. */
	for (size_t i = 0; i < points.count; i++) {
		armed[armed_count] = points.at[i];
		armed[armed_count].access &= HV_DEBUG_WRITE;
		armed_count += points.at[i].bytes == 0 || armed[armed_count].access != 0;
	}
	if (!leave_exclusive_back(t, error))
		return failed;
	struct stop stop =
		timeline_run_through(t, n + 1, (struct points){armed, armed_count, points.conditions}, error);
	return stop.kind == STOP_WATCHPOINT && timeline_n(t) < n ? none : stop;
}

/* Whether the instruction at the current view accesses a watched place, or an exception there leads to a vector
 * with a breakpoint; without a hit, leaves the view undefined. */
static struct stop hit_here(struct timeline *t, bool watch, struct points points, struct error *error)
{
	uint64_t pc = timeline_vcpu(t)->pc;
	struct hv_debug_point armed[HV_DEBUG_POINTS_MAX];
	size_t armed_count = 0;
	for (size_t i = 0; i < points.count; i++) {
		const struct hv_debug_point *point = &points.at[i];
		bool vector = point->bytes == 0 && point->address != pc && timeline_is_vector(t, point->address);
		if (vector || (point->bytes != 0 && watch))
			armed[armed_count++] = *point;
	}
	if (armed_count == 0)
		return none;
	return search_run_over(t, (struct points){armed, armed_count, points.conditions}, error);
}

/* Steps over the instruction at the current view, and on out of an exclusive sequence, to a place to run on from:
 * STOP_NONE. Or a hit on the way, or STOP_END where the trace ends. */
static struct stop step_over(struct timeline *t, const struct search *search, struct error *error)
{
	uint64_t n = timeline_n(t);
	for (bool watch = !search->skip_access;; watch = true) {
		struct timeline_place here = timeline_place(t);
		struct stop stop = hit_here(t, watch, search->points, error);
		if (stop.kind == STOP_FAILED || stop.kind == STOP_BREAKPOINT)
			return stop;
		if (stop.kind == STOP_WATCHPOINT)
			return timeline_return(t, here, error) ? stop : failed;
		if (n >= t->end_n)
			return timeline_goto(t, t->end_n, error) ? (struct stop){STOP_END, 0} : failed;
		if (!timeline_goto(t, ++n, error))
			return failed;
		stop = search_breakpoint_here(t, search->points);
		if (stop.kind == STOP_BREAKPOINT || !timeline_inside_exclusive(t))
			return stop;
	}
}

/* Where to stop on the way from `here` to `limit`: at the last checkpoint before a stretch that has none, where one is
 * to be taken there, and at its end. A scout, who comes here once, takes none. */
static uint64_t next_stop(struct timeline *t, uint64_t here, uint64_t limit, struct error *error)
{
	const struct checkpoints *all = &t->checkpoints;
	if (t->is_scout)
		return limit;
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

/* For who asks meanwhile; `looked`: these instructions were not known. */
static void came_to(struct timeline *t, uint64_t n, bool looked)
{
	struct timeline_course *course = &t->course;
	bool further = course->reverse ? n < course->at_n : n > course->at_n;
	if (!further || course->shared)
		return;
	if (looked)
		course->looked += course->reverse ? course->at_n - n : n - course->at_n;
	course->at_n = n;
}

static bool collect(struct timeline *t, const struct hv_hit *hit)
{
	bool access = hit->is_watchpoint;
	return hit_list_add(t->collected, &(struct hit){hit->n,
							access ? HIT_ACCESS : HIT_PLACE,
							{access ? STOP_WATCHPOINT : STOP_BREAKPOINT, hit->address}});
}

/* engine_run, which goes on from hits if they are collected, as far as hv can. */
static struct stop run_collecting(struct timeline *t, uint64_t until_n, struct points points, struct error *error)
{
	struct engine_order order = {.until_n = until_n, .points = points, .can_be_woken = true};
	size_t hit_count, room = HITS_BEFORE_HALVING;
	if (!t->collected)
		return engine_run(t->engine, &order, error);
	order.hit_room = room > t->collected->count ? room - t->collected->count : 1;
	struct stop stop = engine_run(t->engine, &order, error);
	const struct hv_hit *hits = engine_hits(t->engine, &hit_count);
	bool kept = true;
	for (size_t i = 0; stop.kind != STOP_FAILED && kept && i < hit_count; i++)
		kept = collect(t, &hits[i]);
	if (!kept)
		error_set(error, STATUS_FAILED, "out of memory for hits");
	return kept ? stop : failed;
}

/* Runs on from the current place to the next hit before `limit` that is not collected, taking checkpoints where there
 * are none yet. Answers STOP_NONE at the limit, or at the trace's end if that comes before. */
static struct stop run_on(struct timeline *t, struct points points, uint64_t limit, struct error *error)
{
	for (;;) {
		uint64_t until = next_stop(t, timeline_n(t), limit, error);
		if (!t->course.reverse)
			came_to(t, timeline_n(t), true);
		struct stop stop = run_collecting(t, until, points, error);
		if (stop.kind == STOP_END)
			return none;
		if (stop.kind == STOP_INTERRUPTED) {
			/* Who goes on from here takes a breakpoint here for one that was reported. */
			struct stop here = search_breakpoint_here(t, points);
			return here.kind == STOP_BREAKPOINT ? here : stop;
		}
		if (stop.kind != STOP_NONE || until >= limit)
			return stop;
		if (!stop_on_the_way(t, until, error))
			return failed;
	}
}

struct stop search_next_hit(struct timeline *t, const struct search *search, uint64_t limit, struct error *error)
{
	struct stop stop = step_over(t, search, error);
	if (stop.kind == STOP_END)
		return none;
	if (stop.kind != STOP_NONE || timeline_n(t) >= limit)
		return stop;
	return run_on(t, search->points, limit, error);
}

struct hit search_hit_here(const struct timeline *t, struct stop stop)
{
	bool vector = stop.kind == STOP_BREAKPOINT && timeline_is_vector(t, stop.address);
	enum hit_rank rank = stop.kind == STOP_WATCHPOINT ? HIT_ACCESS : vector ? HIT_VECTOR : HIT_PLACE;
	return (struct hit){timeline_n(t), rank, stop};
}

/* Where to halve [low, high): where the recording stopped of its own accord, for a checkpoint is there for the taking,
 * or else anywhere. 0: so little is not worth it. */
static uint64_t middle_of(struct timeline *t, uint64_t low, uint64_t high, struct error *error)
{
	uint64_t half = (high - low) / 2;
	uint64_t safe = timeline_safe_first(t, low + half, high - 1, error);
	return safe != 0 ? safe : half >= HALF_INSNS_MIN ? low + half : 0;
}

static bool collect_here(struct timeline *t, struct stop stop, struct error *error)
{
	struct hit hit = search_hit_here(t, stop);
	return hit_list_add(t->collected, &hit) || error_set(error, STATUS_FAILED, "out of memory for hits");
}

/* A span whose hits are collected, until there are more than `room`. */
struct part {
	struct span span;
	size_t room;
	uint64_t reached; /* up to here they are all collected */
};

/* Answers STOP_NONE, or what prevented it. */
static enum stop_kind part_collect(struct timeline *t, const struct search *search, struct part *part,
				   struct error *error)
{
	struct search on = {.points = search->points};
	uint64_t high = part->span.high;
	part->reached = part->span.low;
	if (!timeline_goto(t, part->span.low, error))
		return STOP_FAILED;
	struct stop stop = search_breakpoint_here(t, on.points);
	if (stop.kind == STOP_BREAKPOINT && !collect_here(t, stop, error))
		return STOP_FAILED;
	for (;;) {
		stop = search_next_hit(t, &on, high, error);
		part->reached = stop.kind == STOP_NONE || timeline_n(t) > high ? high : timeline_n(t);
		if (stop.kind == STOP_FAILED || stop.kind == STOP_INTERRUPTED)
			return stop.kind;
		if (part->reached >= high)
			return STOP_NONE;
		if (!collect_here(t, stop, error))
			return STOP_FAILED;
		if (t->collected->count > part->room)
			return STOP_NONE;
		on.skip_access = stop.kind != STOP_BREAKPOINT;
	}
}

/* Makes all hits of the span known from some position in it on, and at least one of them; or all of them. Answers
 * STOP_NONE, or what prevented it. */
static enum stop_kind learn_back(struct timeline *t, struct hit_set *set, const struct search *search, struct span span,
				 struct error *error)
{
	struct part part = {.span = span, .room = HITS_BEFORE_HALVING};
	for (;;) {
		struct hit_list list = {0};
		t->collected = &list;
		enum stop_kind kind = part_collect(t, search, &part, error);
		t->collected = NULL;
		hit_list_cut(&list, part.reached);
		if (kind != STOP_FAILED && !hits_learn(set, part.span.low, part.reached, &list)) {
			error_set(error, STATUS_FAILED, "out of memory for hits");
			kind = STOP_FAILED;
		}
		hit_list_free(&list);
		if (kind != STOP_NONE || part.reached >= span.high)
			return kind;
		part.span.low = middle_of(t, part.reached, span.high, error);
		if (part.span.low == 0) {
			part.span.low = part.reached;
			part.room = SIZE_MAX;
		}
	}
}

struct hit_set *search_known(struct timeline *t, struct points points)
{
	struct points_packed packed;
	points_pack(&packed, points);
	return hits_of(&t->known, &packed);
}

/* Each part between checkpoints, the last one first, as far as it is not known. */
static struct hit search_back(struct timeline *t, const struct search *search, struct span span, struct error *error)
{
	struct hit hit;
	struct hit_set *set = search_known(t, search->points);
	if (!set)
		error_set(error, STATUS_FAILED, "out of memory for hits");
	enum stop_kind kind = set ? STOP_NONE : STOP_FAILED;
	while (kind == STOP_NONE && span.high > span.low) {
		uint64_t unknown = span.high;
		if (hits_before(set, &unknown, &hit))
			return hit.n >= span.low ? hit : (struct hit){.stop = none};
		if (unknown == span.high) {
			uint64_t low = t->checkpoints.at[checkpoints_before(&t->checkpoints, span.high - 1)].n;
			low = hits_unknown_from(set, low > span.low ? low : span.low, span.high);
			kind = learn_back(t, set, search, (struct span){low, span.high}, error);
			came_to(t, low, true);
		}
		span.high = unknown;
		came_to(t, span.high, false);
	}
	return search_hit_here(t, (struct stop){kind, 0});
}

struct hit search_span(struct timeline *t, const struct search *search, struct span span, struct error *error)
{
	if (search->reverse)
		return search_back(t, search, span, error);
	struct stop stop = failed;
	if (timeline_goto(t, span.low, error))
		stop = run_on(t, search->points, span.high, error);
	return search_hit_here(t, stop);
}
