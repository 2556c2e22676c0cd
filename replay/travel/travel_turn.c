/* Steps of one vCPU. The events say when it has its turn, so going there is one search, however long the others run.
 *
 * A vCPU's places are those where it is about to execute an instruction: a step goes on to the next of them, a step
 *back to the last. So a walk on and back comes to the same places, and what the others did meanwhile is done at each:
 *
 *	vCPU 0   a───b───c                   d───e
 *	vCPU 1            p───q───r                 steps of vCPU 1: p, q, r, s; back: r, q, p
 *	vCPU 0 leaves ────┘       └─ leaves         s: in its next turn, after d and e
 */
#include "replay/travel/travel.h"

static const struct stop none = {STOP_NONE, 0}, failed = {STOP_FAILED, 0};

struct stop travel_to_turn(struct timeline *t, const struct search *search, uint32_t vcpu, struct error *error)
{
	uint64_t n;
	if (vcpu == timeline_vcpu_index(t))
		return none;
	if (!timeline_turn_next(t, vcpu, &n, error))
		return failed;
	if (n == UINT64_MAX)
		return (struct stop){STOP_END, 0};
	return n > timeline_n(t) ? travel_continue_to(t, search, n, error) : none;
}

/* From a place where others have executed instructions since `vcpu` did: back to right after its last one, `n`. */
static struct stop back_to_after(struct timeline *t, const struct search *search, uint64_t n, struct error *error)
{
	struct stop stop = n + 1 < timeline_n(t) ? travel_continue_to(t, search, n + 1, error) : none;
	if (stop.kind != STOP_NONE)
		return stop;
	return timeline_goto(t, n + 1, error) ? none : failed;
}

struct stop travel_step_back_of(struct timeline *t, const struct search *search, uint32_t vcpu, struct error *error)
{
	struct search on = *search;
	uint64_t n;
	if (vcpu == timeline_vcpu_index(t) && vcpu == timeline_vcpu_before(t))
		return travel_step(t, search, error);
	if (vcpu == timeline_vcpu_index(t)) { /* from a vector that shares its position, perhaps */
		struct timeline_place here = timeline_place(t);
		if (!timeline_goto(t, here.n, error))
			return failed;
		if (timeline_place(t).pc != here.pc)
			return (struct stop){STOP_STEPPED, 0};
	}
	if (!timeline_turn_last(t, vcpu, &n, error))
		return failed;
	if (n == UINT64_MAX)
		return travel_continue(t, search, error);
	on.skip_access &= n + 1 == timeline_n(t);
	struct stop stop = back_to_after(t, search, n, error);
	return stop.kind == STOP_NONE ? travel_step(t, &on, error) : stop;
}
