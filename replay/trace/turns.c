/* Walks over the events from a place, no further than it has to. */
#include "replay/trace/turns.h"
#include "hv/abi/event_info.h"

/* NULL at the end of the trace in that direction, or where it is damaged, error set. */
static const struct event *event_of(struct events *events, uint64_t index, struct error *error)
{
	bool is_there = index >= events_first(events) && index < events_count(events);
	return is_there ? events_get(events, index, error) : NULL;
}

uint64_t turns_switch(struct events *events, struct turns_place place)
{
	struct error ignored = {.status = STATUS_OK};
	uint64_t found = UINT64_MAX;
	const struct event *event;
	for (uint64_t i = place.next_event; (event = event_of(events, i, &ignored)) != NULL; i++) {
		/* From a trap on the events are of what the instruction here does. */
		if (event->n != place.n || event_info(event->kind)->class == EVENT_CLASS_TRAP)
			break;
		if (event->kind == EVENT_SWITCH)
			found = i;
	}
	return found;
}

uint32_t turns_here(struct events *events, struct turns_place place)
{
	struct error ignored = {.status = STATUS_OK};
	uint64_t index = turns_switch(events, place);
	const struct event *event = index == UINT64_MAX ? NULL : events_get(events, index, &ignored);
	return event ? (uint32_t)event->address : place.vcpu;
}

uint32_t turns_before(struct events *events, struct turns_place place)
{
	struct error ignored = {.status = STATUS_OK};
	uint32_t vcpu = place.vcpu;
	const struct event *event;
	for (uint64_t i = place.next_event; (event = event_of(events, i - 1, &ignored)) != NULL; i--) {
		if (event->n != place.n)
			break;
		if (event->kind == EVENT_SWITCH)
			vcpu = event->vcpu;
	}
	return vcpu;
}

bool turns_next(struct events *events, struct turns_place place, uint32_t vcpu, uint64_t *n, struct error *error)
{
	const struct event *event;
	*n = place.n;
	for (uint64_t i = place.next_event; (event = event_of(events, i, error)) != NULL; i++) {
		if (event->n > *n && place.vcpu == vcpu)
			return true;
		if (event->kind != EVENT_SWITCH)
			continue;
		place.vcpu = (uint32_t)event->address;
		*n = event->n;
	}
	*n = UINT64_MAX;
	return error->status == STATUS_OK;
}

bool turns_last(struct events *events, struct turns_place place, uint32_t vcpu, uint64_t start_n, uint64_t *n,
		struct error *error)
{
	const struct event *event;
	uint64_t high = place.n; /* place.vcpu had its turn up to here */
	for (uint64_t i = place.next_event; (event = event_of(events, i - 1, error)) != NULL; i--) {
		if (event->n < high && place.vcpu == vcpu)
			break;
		if (event->kind != EVENT_SWITCH)
			continue;
		place.vcpu = event->vcpu;
		high = event->n;
	}
	*n = place.vcpu == vcpu && high > start_n ? high - 1 : UINT64_MAX;
	return error->status == STATUS_OK;
}
