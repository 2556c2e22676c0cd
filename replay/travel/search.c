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

bool search_breakpoint_here(const struct timeline *t, const struct hv_debug_point *points, size_t count,
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

bool search_goto_hit(struct timeline *t, uint64_t n, const struct timeline_hit *hit, struct error *error)
{
	struct hv_debug_point point = {.address = hit->address};
	uint64_t address;
	if (!timeline_goto(t, n, error))
		return false;
	if (hit->stop != TIMELINE_BREAKPOINT || search_breakpoint_here(t, &point, 1, &address))
		return true;
	return timeline_run_through(t, n + 1, &point, 1, &address, error) == ENGINE_BREAKPOINT ||
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

enum engine_stop search_run_over(struct timeline *t, const struct hv_debug_point *points, size_t count,
				 uint64_t *address, struct error *error)
{
	const struct guest_state *state = timeline_state(t);
	uint64_t n = state->n;
	struct hv_debug_point armed[HV_DEBUG_POINTS_MAX];
	size_t armed_count = 0;
	if (!exclusive_ends_here(timeline_memory(t), &state->vcpu[state->current]))
		return timeline_run_through(t, n + 1, points, count, address, error);
	/* The load before is not to stop it. */
	for (size_t i = 0; i < count; i++) {
		armed[armed_count] = points[i];
		armed[armed_count].access &= HV_DEBUG_WRITE;
		armed_count += points[i].bytes == 0 || armed[armed_count].access != 0;
	}
	if (!leave_exclusive_back(t, error))
		return ENGINE_FAILED;
	enum engine_stop stop = timeline_run_through(t, n + 1, armed, armed_count, address, error);
	return stop == ENGINE_WATCHPOINT && timeline_n(t) < n ? ENGINE_UNTIL : stop;
}

/* Whether the instruction at the current view accesses a watched place, or an exception there leads to a vector
 * with a breakpoint; without a hit, leaves the view undefined. */
static enum engine_stop hit_here(struct timeline *t, bool watch, const struct hv_debug_point *points, size_t count,
				 uint64_t *address, struct error *error)
{
	const struct guest_state *state = timeline_state(t);
	uint64_t pc = state->vcpu[state->current].pc;
	struct hv_debug_point armed[HV_DEBUG_POINTS_MAX];
	size_t armed_count = 0;
	for (size_t i = 0; i < count; i++) {
		bool vector =
			points[i].bytes == 0 && points[i].address != pc && timeline_is_vector(t, points[i].address);
		if (vector || (points[i].bytes != 0 && watch))
			armed[armed_count++] = points[i];
	}
	if (armed_count == 0)
		return ENGINE_UNTIL;
	return search_run_over(t, armed, armed_count, address, error);
}

/* Steps over the instruction at `n`, and on out of an exclusive sequence, to a place to run on from. Answers a hit on
 * the way (`first_watch`: an access at `n` itself counts), or TIMELINE_INTERRUPTED for none. */
static struct timeline_hit step_over(struct timeline *t, uint64_t n, bool first_watch,
				     const struct hv_debug_point *points, size_t count, struct error *error)
{
	struct timeline_hit hit = {TIMELINE_FAILED, 0};
	for (bool watch = first_watch;; watch = true) {
		struct timeline_place here = timeline_place(t);
		enum engine_stop stop = hit_here(t, watch, points, count, &hit.address, error);
		if (stop == ENGINE_FAILED)
			return hit;
		if (stop == ENGINE_BREAKPOINT) {
			hit.stop = TIMELINE_BREAKPOINT;
			return hit;
		}
		if (stop == ENGINE_WATCHPOINT) {
			hit.stop = timeline_return(t, here, error) ? TIMELINE_WATCHPOINT : TIMELINE_FAILED;
			return hit;
		}
		if (n >= t->end_n) {
			hit.stop = timeline_goto(t, t->end_n, error) ? TIMELINE_END : TIMELINE_FAILED;
			return hit;
		}
		if (!timeline_goto(t, ++n, error))
			return hit;
		if (search_breakpoint_here(t, points, count, &hit.address)) {
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
	struct timeline_search *search = &t->search;
	bool further = search->reverse ? n < search->at_n : n > search->at_n;
	if (!further || search->shared)
		return;
	if (looked)
		search->looked += search->reverse ? search->at_n - n : n - search->at_n;
	search->at_n = n;
}

static bool collect(struct timeline *t, const struct hv_hit *hit)
{
	enum timeline_rank rank = hit->is_watchpoint ? TIMELINE_RANK_ACCESS : TIMELINE_RANK_PLACE;
	return hit_list_add(t->collected, &(struct hit){hit->n, rank, hit->address});
}

/* engine_run, which goes on from hits if they are collected, as far as hv can. */
static enum engine_stop run_collecting(struct timeline *t, uint64_t until, const struct hv_debug_point *points,
				       size_t count, uint64_t *address, struct error *error)
{
	size_t hit_count, room = HITS_BEFORE_HALVING;
	if (!t->collected)
		return engine_run(t->engine, until, points, count, address, error);
	t->engine->hit_room = room > t->collected->count ? room - t->collected->count : 1;
	enum engine_stop stop = engine_run(t->engine, until, points, count, address, error);
	t->engine->hit_room = 0;
	const struct hv_hit *hits = engine_hits(t->engine, &hit_count);
	bool kept = true;
	for (size_t i = 0; stop != ENGINE_FAILED && kept && i < hit_count; i++)
		kept = collect(t, &hits[i]);
	if (!kept)
		error_set(error, STATUS_FAILED, "out of memory for hits");
	return kept ? stop : ENGINE_FAILED;
}

/* Runs on from the current place to the next hit before `limit` that is not collected, taking checkpoints where there
 * are none yet. Answers TIMELINE_END at the limit. */
static struct timeline_hit run_on(struct timeline *t, uint64_t limit, const struct hv_debug_point *points, size_t count,
				  struct error *error)
{
	struct timeline_hit hit = {TIMELINE_FAILED, 0};
	for (;;) {
		uint64_t until = next_stop(t, timeline_n(t), limit, error);
		if (!t->search.reverse)
			came_to(t, timeline_n(t), true);
		switch (run_collecting(t, until, points, count, &hit.address, error)) {
		case ENGINE_BREAKPOINT:
			hit.stop = TIMELINE_BREAKPOINT;
			return hit;
		case ENGINE_WATCHPOINT:
			hit.stop = TIMELINE_WATCHPOINT;
			return hit;
		case ENGINE_INTERRUPTED:
			/* Who goes on from here takes a breakpoint here for one that was told. */
			hit.stop = search_breakpoint_here(t, points, count, &hit.address) ? TIMELINE_BREAKPOINT
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

struct timeline_hit search_next_hit(struct timeline *t, uint64_t limit, bool first_watch,
				    const struct hv_debug_point *points, size_t count, struct error *error)
{
	struct timeline_hit hit = step_over(t, timeline_n(t), first_watch, points, count, error);
	if (hit.stop != TIMELINE_INTERRUPTED)
		return hit;
	if (timeline_n(t) >= limit)
		return (struct timeline_hit){TIMELINE_END, 0};
	return run_on(t, limit, points, count, error);
}

struct timeline_found search_found_here(const struct timeline *t, struct timeline_hit hit)
{
	bool vector = hit.stop == TIMELINE_BREAKPOINT && timeline_is_vector(t, hit.address);
	enum timeline_rank rank = hit.stop == TIMELINE_WATCHPOINT ? TIMELINE_RANK_ACCESS
				  : vector                        ? TIMELINE_RANK_VECTOR
								  : TIMELINE_RANK_PLACE;
	return (struct timeline_found){hit, timeline_n(t), rank};
}

/* Where to halve [low, high): where the recording stopped by itself, for a checkpoint is there for the taking, or else
 * anywhere. 0: so little is not worth it. */
static uint64_t middle_of(struct timeline *t, uint64_t low, uint64_t high, struct error *error)
{
	uint64_t half = (high - low) / 2;
	uint64_t safe = timeline_safe_first(t, low + half, high - 1, error);
	return safe != 0 ? safe : half >= HALF_INSNS_MIN ? low + half : 0;
}

static bool collect_here(struct timeline *t, struct timeline_hit hit, struct error *error)
{
	struct timeline_found found = search_found_here(t, hit);
	return hit_list_add(t->collected, &(struct hit){found.n, found.rank, found.hit.address}) ||
	       error_set(error, STATUS_FAILED, "out of memory for hits");
}

/* Collects the hits at or after position `low` and before `high`. Answers TIMELINE_END if those are all, or
 * TIMELINE_BREAKPOINT if there are more than `room`, and in *reached up to where they are all. */
static enum timeline_stop collect_stretch(struct timeline *t, uint64_t low, uint64_t high, size_t room,
					  const struct hv_debug_point *points, size_t count, uint64_t *reached,
					  struct error *error)
{
	struct timeline_hit hit = {TIMELINE_BREAKPOINT, 0};
	*reached = low;
	if (!timeline_goto(t, low, error) ||
	    (search_breakpoint_here(t, points, count, &hit.address) && !collect_here(t, hit, error)))
		return TIMELINE_FAILED;
	for (bool first_watch = true;; first_watch = hit.stop == TIMELINE_BREAKPOINT) {
		hit = search_next_hit(t, high, first_watch, points, count, error);
		*reached = hit.stop == TIMELINE_END || timeline_n(t) > high ? high : timeline_n(t);
		if (hit.stop == TIMELINE_FAILED || hit.stop == TIMELINE_INTERRUPTED)
			return hit.stop;
		if (*reached >= high)
			return TIMELINE_END;
		if (!collect_here(t, hit, error))
			return TIMELINE_FAILED;
		if (t->collected->count > room)
			return TIMELINE_BREAKPOINT;
	}
}

/* Makes all hits known from a position at or after `low`, to `high`, and at least one of them, or all from `low` on.
 * Answers TIMELINE_END, or what prevented it. */
static enum timeline_stop learn_back(struct timeline *t, struct hit_set *set, uint64_t low, uint64_t high,
				     const struct hv_debug_point *points, size_t count, struct error *error)
{
	enum timeline_stop stop = TIMELINE_BREAKPOINT;
	size_t room = HITS_BEFORE_HALVING;
	while (stop == TIMELINE_BREAKPOINT) {
		struct hit_list list = {0};
		uint64_t reached;
		t->collected = &list;
		stop = collect_stretch(t, low, high, room, points, count, &reached, error);
		t->collected = NULL;
		hit_list_cut(&list, reached);
		if (stop != TIMELINE_FAILED && !hits_learn(set, low, reached, &list)) {
			error_set(error, STATUS_FAILED, "out of memory for hits");
			stop = TIMELINE_FAILED;
		}
		hit_list_free(&list);
		low = stop == TIMELINE_BREAKPOINT ? middle_of(t, reached, high, error) : reached;
		if (stop == TIMELINE_BREAKPOINT && low == 0) {
			low = reached;
			room = SIZE_MAX;
		}
	}
	return stop;
}

struct hit_set *search_known(struct timeline *t, const struct hv_debug_point *points, size_t count)
{
	struct engine_points taken;
	engine_points_take(&taken, t->engine->conditions, points, count);
	return hits_of(&t->known, &taken);
}

static struct timeline_found found_of(const struct hit *hit)
{
	enum timeline_stop stop = hit->rank == TIMELINE_RANK_ACCESS ? TIMELINE_WATCHPOINT : TIMELINE_BREAKPOINT;
	return (struct timeline_found){{stop, hit->address}, hit->n, hit->rank};
}

/* Each part between checkpoints, the last one first, as far as it is not known. */
static struct timeline_found search_back(struct timeline *t, uint64_t low_limit, uint64_t high,
					 const struct hv_debug_point *points, size_t count, struct error *error)
{
	struct hit hit;
	struct hit_set *set = search_known(t, points, count);
	if (!set)
		error_set(error, STATUS_FAILED, "out of memory for hits");
	enum timeline_stop stop = set ? TIMELINE_END : TIMELINE_FAILED;
	while (stop == TIMELINE_END && high > low_limit) {
		uint64_t unknown = high;
		if (hits_before(set, &unknown, &hit))
			return hit.n >= low_limit ? found_of(&hit) : (struct timeline_found){{TIMELINE_BEGIN, 0}, 0, 0};
		if (unknown == high) {
			uint64_t low = t->checkpoints.at[checkpoints_before(&t->checkpoints, high - 1)].n;
			low = hits_unknown_from(set, low > low_limit ? low : low_limit, high);
			stop = learn_back(t, set, low, high, points, count, error);
			came_to(t, low, true);
		}
		high = unknown;
		came_to(t, high, false);
	}
	return stop == TIMELINE_END ? (struct timeline_found){{TIMELINE_BEGIN, 0}, 0, TIMELINE_RANK_PLACE}
				    : search_found_here(t, (struct timeline_hit){stop, 0});
}

struct timeline_found search_stretch(struct timeline *t, bool reverse, uint64_t low, uint64_t high,
				     const struct hv_debug_point *points, size_t count, struct error *error)
{
	struct timeline_hit hit = {TIMELINE_FAILED, 0};
	if (reverse)
		return search_back(t, low, high, points, count, error);
	if (timeline_goto(t, low, error))
		hit = run_on(t, high, points, count, error);
	return search_found_here(t, hit);
}
