/* Whose turn it is on the timeline, and when a vCPU has its next. */
#include "replay/trace/turns.h"
#include "replay/travel/timeline_state.h"

static struct turns_place turns_place_of(const struct timeline *t)
{
	const struct guest_state *state = engine_state(t->engine);
	return (struct turns_place){state->n, engine_next_event(t->engine), state->current};
}

/* A damaged trace may name one that the guest does not have. */
static uint32_t known(const struct timeline *t, uint32_t vcpu)
{
	const struct guest_state *state = engine_state(t->engine);
	return vcpu < state->vcpu_count ? vcpu : state->current;
}

uint32_t timeline_vcpu_index(const struct timeline *t)
{
	const struct guest_state *state = engine_state(t->engine);
	if (state->vcpu_count == 1 || engine_is_diverted(t->engine))
		return state->current;
	return known(t, turns_here(engine_events(t->engine), turns_place_of(t)));
}

uint32_t timeline_vcpu_before(const struct timeline *t)
{
	const struct guest_state *state = engine_state(t->engine);
	if (state->vcpu_count == 1 || engine_is_diverted(t->engine))
		return state->current;
	return known(t, turns_before(engine_events(t->engine), turns_place_of(t)));
}

const struct vcpu_state *timeline_vcpu(const struct timeline *t)
{
	return &engine_state(t->engine)->vcpu[timeline_vcpu_index(t)];
}

/* The SWITCH that is still to come at this place tells why its vCPU leaves. */
static bool is_about_to_wait(const struct timeline *t, uint32_t vcpu)
{
	struct error ignored = {.status = STATUS_OK};
	uint64_t index =
		engine_is_diverted(t->engine) ? UINT64_MAX : turns_switch(engine_events(t->engine), turns_place_of(t));
	const struct event *event = index == UINT64_MAX ? NULL : events_get(engine_events(t->engine), index, &ignored);
	return event && event->vcpu == vcpu && event->value == SWITCH_REASON_WAITS;
}

enum timeline_vcpu_doing timeline_vcpu_doing(const struct timeline *t, uint32_t vcpu)
{
	const struct guest_state *state = engine_state(t->engine);
	if (state->vcpu[vcpu].power == VCPU_OFF)
		return VCPU_IS_OFF;
	if (vcpu == timeline_vcpu_index(t))
		return VCPU_IS_RUNNING;
	return state->turn.waits[vcpu] || is_about_to_wait(t, vcpu) ? VCPU_IS_WAITING : VCPU_IS_READY;
}

bool timeline_turn_next(const struct timeline *t, uint32_t vcpu, uint64_t *n, struct error *error)
{
	return turns_next(engine_events(t->engine), turns_place_of(t), vcpu, n, error);
}

bool timeline_turn_last(const struct timeline *t, uint32_t vcpu, uint64_t *n, struct error *error)
{
	return turns_last(engine_events(t->engine), turns_place_of(t), vcpu, t->checkpoints.at[0].n, n, error);
}
