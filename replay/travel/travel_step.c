/* Steps of one instruction, on and back. */
#include "replay/travel/search.h"
#include "replay/travel/travel.h"

static const struct stop none = {STOP_NONE, 0}, stepped = {STOP_STEPPED, 0}, failed = {STOP_FAILED, 0};

/* As many of the watchpoints as the CPU has. */
static size_t watchpoints_take(struct points points, size_t *at, struct hv_debug_point group[GUEST_WATCHPOINT_COUNT])
{
	size_t taken = 0;
	for (; *at < points.count && taken < GUEST_WATCHPOINT_COUNT; (*at)++) {
		if (points.at[*at].bytes != 0)
			group[taken++] = points.at[*at];
	}
	return taken;
}

/* Whether the instruction at position `n` accesses a watched place. The timeline is anywhere then. */
static struct stop access_at(struct timeline *t, uint64_t n, struct points points, struct error *error)
{
	struct hv_debug_point group[GUEST_WATCHPOINT_COUNT];
	size_t at = 0, taken;
	while ((taken = watchpoints_take(points, &at, group)) > 0) {
		if (timeline_n(t) != n && !timeline_goto(t, n, error))
			return failed;
		struct stop stop = search_run_over(t, (struct points){group, taken, points.conditions}, error);
		if (stop.kind != STOP_NONE && stop.kind != STOP_END) /* others may have a hit before the trace's end */
			return stop;
	}
	return none;
}

/* Whether an exception at position `n` leads to a vector with a breakpoint that shares the position, where the timeline
 * is then. Else it is anywhere. */
static struct stop vector_at(struct timeline *t, uint64_t n, struct points points, struct error *error)
{
	for (size_t i = 0; i < points.count; i++) {
		struct stop stop = none;
		if (points.at[i].bytes != 0 || !timeline_is_vector(t, points.at[i].address))
			continue;
		if (!timeline_goto(t, n, error))
			return failed;
		if (timeline_place(t).pc != points.at[i].address)
			stop = timeline_run_through(t, n + 1, (struct points){&points.at[i], 1, points.conditions},
						    error);
		if (stop.kind == STOP_BREAKPOINT)
			return timeline_n(t) == n ? stop : none;
		if (stop.kind != STOP_NONE && stop.kind != STOP_END) /* as in access_at */
			return stop;
	}
	return none;
}

/* Whether a step back only leads from a vector that shares its position to the place before: STOP_STEPPED. */
static struct stop step_to_place(struct timeline *t, struct error *error)
{
	struct timeline_place here = timeline_place(t);
	if (!timeline_is_vector(t, here.pc))
		return none;
	if (!timeline_goto(t, here.n, error))
		return failed;
	return timeline_place(t).pc != here.pc ? stepped : none;
}

/* Whether there is something between two positions, in the order of the direction. */
static struct stop between(struct timeline *t, const struct search *search, uint64_t n, struct error *error)
{
	struct timeline_place here = timeline_place(t);
	struct stop stop = none;
	bool at_vector = here.n == n && timeline_is_vector(t, here.pc);
	if (!search->reverse && !at_vector)
		stop = vector_at(t, n, search->points, error);
	if (stop.kind == STOP_NONE && !search->skip_access)
		stop = access_at(t, n, search->points, error);
	if (stop.kind == STOP_NONE && search->reverse)
		stop = vector_at(t, n, search->points, error);
	return stop;
}

/* The trace has a trap at `n` that the hardware may have over-counted, so that its instruction stands before `n`. */
static bool may_be_over_counted(const struct timeline *t, uint64_t n, struct error *error)
{
	uint64_t index = events_find(engine_events(t->engine), n, error);
	if (index >= events_count(engine_events(t->engine)))
		return false;
	const struct event *event = events_get(engine_events(t->engine), index, error);
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

struct stop travel_step(struct timeline *t, const struct search *search, struct error *error)
{
	struct stop to_place = search->reverse ? step_to_place(t, error) : none;
	if (to_place.kind != STOP_NONE)
		return to_place;
	struct timeline_place here = timeline_place(t);
	uint64_t n = here.n;
	if (!search->reverse && timeline_is_before_end(t))
		return timeline_goto_end(t, error) ? stepped : failed;
	if (n == (search->reverse ? timeline_start_n(t) : t->end_n))
		return (struct stop){search->reverse ? STOP_BEGIN : STOP_END, 0};
	if (search->reverse && !position_before(t, &n, error))
		return failed;
	struct stop stop = between(t, search, n, error);
	if (stop.kind == STOP_BREAKPOINT || stop.kind == STOP_FAILED)
		return stop;
	if (stop.kind == STOP_WATCHPOINT)
		return timeline_return(t, here, error) ? stop : failed;
	return timeline_goto(t, search->reverse ? n : n + 1, error) ? stepped : failed;
}
