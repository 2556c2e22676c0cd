/* Steps of one instruction, on and back. */
#include "replay/travel/search.h"
#include "replay/travel/travel.h"

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
		stop = search_run_over(t, group, taken, address, error);
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

struct timeline_hit travel_step(struct timeline *t, bool reverse, bool skip_access, const struct hv_debug_point *points,
				size_t count, struct error *error)
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
