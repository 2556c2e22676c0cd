/* Travelling: goto, continue and reverse on top of checkpoints. rr's ReplayTimeline is the model. */
#include "replay/timeline.h"
#include "replay/exclusive.h"

#include <stdlib.h>

/* Instructions between checkpoints when a stretch is run for the first time, and how near a view has to be to one. */
#define STRIDE_INSNS UINT64_C(40000000)
#define NEAR_INSNS   UINT64_C(50000)
/* So many hits in one stretch, and it is halved. */
enum { HITS_BEFORE_HALVING = 4 };

struct timeline {
	struct engine *engine;
	struct checkpoints checkpoints;
	size_t base; /* RAM is that of this checkpoint and what is dirty */
	uint64_t end_n;
	uint64_t reported_n; /* the watchpoint hit at this position was reported */
};

uint64_t timeline_n(const struct timeline *timeline)
{
	return engine_state(timeline->engine)->n;
}

const struct guest_state *timeline_state(const struct timeline *timeline)
{
	return engine_state(timeline->engine);
}

struct engine *timeline_engine(struct timeline *timeline)
{
	return timeline->engine;
}

uint64_t timeline_end_n(const struct timeline *timeline)
{
	return timeline->end_n;
}

static bool checkpoint_here(struct timeline *t, struct error *error)
{
	size_t taken = checkpoints_take(&t->checkpoints, t->engine, t->base, timeline_n(t), error);
	if (taken == SIZE_MAX)
		return false;
	t->base = taken;
	/* What is dirty counts from here on. */
	return checkpoints_restore(&t->checkpoints, t->engine, taken, taken, error);
}

struct timeline *timeline_open(const char *trace, struct error *error)
{
	struct timeline *t = calloc(1, sizeof(*t));
	if (!t)
		return error_set(error, STATUS_FAILED, "out of memory"), NULL;
	t->reported_n = UINT64_MAX;
	t->engine = engine_open(trace, error);
	if (t->engine) {
		uint64_t count = events_count(t->engine->events);
		const struct event *last = count > 0 ? events_get(t->engine->events, count - 1, error) : NULL;
		t->end_n = last ? last->n : 0;
	}
	if (!t->engine || error->status != STATUS_OK || !checkpoint_here(t, error)) {
		timeline_close(t);
		return NULL;
	}
	return t;
}

void timeline_close(struct timeline *timeline)
{
	if (!timeline)
		return;
	checkpoints_free(&timeline->checkpoints);
	engine_close(timeline->engine);
	free(timeline);
}

/* Where the recording stopped because of this event; UINT64_MAX: nowhere that is sure. */
static uint64_t safe_position(const struct event *event)
{
	switch (event->kind) {
	case EVENT_EXIT:
		return event->n;
	case EVENT_MMIO_READ:
	case EVENT_MMIO_WRITE:
	case EVENT_SYSREG_READ:
	case EVENT_SYSREG_WRITE:
		return event->n + 1;
	default:
		return UINT64_MAX;
	}
}

/* The last safe position in (low, high], or the first; 0: there is none. */
static uint64_t safe_last(struct timeline *t, uint64_t low, uint64_t high, struct error *error)
{
	uint64_t index = events_find(t->engine->events, high + 1, error);
	while (index-- > 0) {
		const struct event *event = events_get(t->engine->events, index, error);
		if (!event || event->n < low)
			return 0;
		uint64_t safe = safe_position(event);
		if (safe <= high && safe > low)
			return safe;
	}
	return 0;
}

static uint64_t safe_first(struct timeline *t, uint64_t low, uint64_t high, struct error *error)
{
	uint64_t count = events_count(t->engine->events);
	for (uint64_t index = events_find(t->engine->events, low, error); index < count; index++) {
		const struct event *event = events_get(t->engine->events, index, error);
		if (!event || event->n > high)
			return 0;
		uint64_t safe = safe_position(event);
		if (safe <= high && safe > low)
			return safe;
	}
	return 0;
}

static bool load_before(struct timeline *t, uint64_t n, struct error *error)
{
	size_t target = checkpoints_before(&t->checkpoints, n);
	if (!checkpoints_restore(&t->checkpoints, t->engine, t->base, target, error))
		return false;
	t->base = target;
	return true;
}

/* Runs from a checkpoint to a safe position and takes a checkpoint there. */
static bool run_to_safe(struct timeline *t, uint64_t n, struct error *error)
{
	uint64_t address;
	return engine_run(t->engine, n, NULL, 0, &address, error) != ENGINE_FAILED && checkpoint_here(t, error);
}

bool timeline_goto(struct timeline *t, uint64_t n, struct error *error)
{
	uint64_t address;
	n = n < t->end_n ? n : t->end_n;
	t->reported_n = UINT64_MAX;
	if (!load_before(t, n, error))
		return false;
	for (;;) {
		uint64_t here = timeline_n(t);
		uint64_t last = safe_last(t, here, n, error);
		if (last == 0 || (n - here <= NEAR_INSNS && n - last >= (n - here) / 2))
			break;
		uint64_t next = last - here > STRIDE_INSNS ? safe_first(t, here + STRIDE_INSNS, last, error) : last;
		if (!run_to_safe(t, next != 0 ? next : last, error))
			return false;
	}
	return engine_run(t->engine, n, NULL, 0, &address, error) != ENGINE_FAILED;
}

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

static bool inside_exclusive(const struct timeline *t)
{
	const struct guest_state *state = timeline_state(t);
	return exclusive_inside(t->engine, &state->vcpu[state->current]);
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
 * the way, or ENGINE_UNTIL. */
static struct timeline_hit step_over(struct timeline *t, uint64_t n, const struct hv_debug_point *points, size_t count,
				     struct error *error)
{
	struct timeline_hit hit = {TIMELINE_FAILED, 0};
	bool check_watch = t->reported_n != n;
	for (;; check_watch = true) {
		enum engine_stop stop =
			check_watch ? watch_here(t, n, points, count, &hit.address, error) : ENGINE_UNTIL;
		if (stop == ENGINE_FAILED)
			return hit;
		if (stop == ENGINE_WATCHPOINT) {
			hit.stop = timeline_goto(t, n, error) ? TIMELINE_WATCHPOINT : TIMELINE_FAILED;
			t->reported_n = n;
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
		if (!inside_exclusive(t)) {
			hit.stop = TIMELINE_INTERRUPTED; /* nothing was hit: run on */
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
		bool known = next_checkpoint < here + 2 * STRIDE_INSNS;
		uint64_t next = known ? 0 : safe_first(t, here + STRIDE_INSNS, limit, error);
		uint64_t until = next != 0 ? next : limit;
		switch (engine_run(t->engine, until, points, count, &hit.address, error)) {
		case ENGINE_BREAKPOINT:
			hit.stop = TIMELINE_BREAKPOINT;
			return hit;
		case ENGINE_WATCHPOINT:
			hit.stop = TIMELINE_WATCHPOINT;
			t->reported_n = timeline_n(t);
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
		if (checkpoints_before(&t->checkpoints, until) == t->base && !checkpoint_here(t, error))
			return hit;
	}
}

/* The next hit after `n` and before `limit`. TIMELINE_END: there is none. */
static struct timeline_hit next_hit(struct timeline *t, uint64_t limit, const struct hv_debug_point *points,
				    size_t count, struct error *error)
{
	struct timeline_hit hit = step_over(t, timeline_n(t), points, count, error);
	if (hit.stop != TIMELINE_INTERRUPTED)
		return hit;
	if (timeline_n(t) >= limit)
		return (struct timeline_hit){TIMELINE_END, 0};
	return run_on(t, limit, points, count, error);
}

struct timeline_hit timeline_continue(struct timeline *t, const struct hv_debug_point *points, size_t count,
				      struct error *error)
{
	return next_hit(t, t->end_n, points, count, error);
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
	for (;;) {
		struct timeline_hit hit = next_hit(t, high, points, count, error);
		if (hit.stop == TIMELINE_FAILED || hit.stop == TIMELINE_INTERRUPTED)
			return (struct found){hit, timeline_n(t)};
		if (hit.stop == TIMELINE_END || timeline_n(t) >= high)
			return found;
		found = (struct found){hit, timeline_n(t)};
		uint64_t middle = ++hits % HITS_BEFORE_HALVING == 0
					  ? safe_first(t, found.n + (high - found.n) / 2, high - 1, error)
					  : 0;
		if (middle == 0)
			continue;
		struct found later = last_hit(t, middle, high, points, count, error);
		if (later.hit.stop != TIMELINE_BEGIN)
			return later;
		high = middle;
		if (!timeline_goto(t, found.n, error))
			return (struct found){{TIMELINE_FAILED, 0}, 0};
		t->reported_n = found.n;
	}
}

struct timeline_hit timeline_reverse(struct timeline *t, const struct hv_debug_point *points, size_t count,
				     struct error *error)
{
	uint64_t high = timeline_n(t);
	while (high > 0) {
		uint64_t low = t->checkpoints.at[checkpoints_before(&t->checkpoints, high - 1)].n;
		struct found found = last_hit(t, low, high, points, count, error);
		if (found.hit.stop == TIMELINE_FAILED || found.hit.stop == TIMELINE_INTERRUPTED)
			return found.hit;
		if (found.hit.stop != TIMELINE_BEGIN) {
			if (!timeline_goto(t, found.n, error))
				found.hit.stop = TIMELINE_FAILED;
			if (found.hit.stop == TIMELINE_WATCHPOINT)
				t->reported_n = found.n;
			return found.hit;
		}
		high = low;
	}
	return (struct timeline_hit){timeline_goto(t, 0, error) ? TIMELINE_BEGIN : TIMELINE_FAILED, 0};
}
