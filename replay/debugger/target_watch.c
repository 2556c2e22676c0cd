/* One store may write into several watched ranges. One is reported to gdb, which looks whether its value has changed,
 * and goes on if not: so one whose value changes is reported, or else one that it looks at whatever the value does
 * (awatch, rwatch). */
#include "replay/debugger/target_state.h"
#include "replay/guest/guest_memory.h"
#include "replay/travel/travel.h"

#include <stdlib.h>
#include <string.h>

/* What a store may write around a watched address: DC ZVA's 64 bytes, the largest, before it or after. */
enum { SPAN_BYTES = 64, WINDOW_BYTES = 2 * SPAN_BYTES, READ_BYTES = 16 };

struct window {
	uint64_t address; /* a multiple of READ_BYTES */
	uint8_t bytes[WINDOW_BYTES];
};

static struct window window_read(const struct replay_target *target, const struct vcpu_state *vcpu, uint64_t middle)
{
	struct window window = {.address = (middle & ~(uint64_t)(READ_BYTES - 1)) - SPAN_BYTES};
	for (size_t at = 0; at < WINDOW_BYTES; at += READ_BYTES) {
		if (!guest_memory_read(timeline_memory(target->timeline), vcpu, (va_t){window.address + at},
				       &window.bytes[at], READ_BYTES))
			memset(&window.bytes[at], 0, READ_BYTES); /* not mapped: nothing is stored there */
	}
	return window;
}

static bool is_write_watch(const struct hv_debug_point *point)
{
	return point->bytes != 0 && point->access == HV_DEBUG_WRITE;
}

static bool is_in(const struct hv_debug_point *point, uint64_t address)
{
	return address - point->address < point->bytes;
}

/* Whether the choice is one at all: `address` is of a write watchpoint, and another one is near. */
static bool has_neighbour(const struct replay_target *target, uint64_t address)
{
	bool is_write = false, is_near = false;
	for (size_t i = 0; i < target->point_count; i++) {
		const struct hv_debug_point *point = &target->points[i];
		if (is_write_watch(point) && is_in(point, address))
			is_write = true;
		else if (point->bytes != 0)
			is_near |= point->address - (address - SPAN_BYTES) < WINDOW_BYTES ||
				   is_in(point, address - SPAN_BYTES);
	}
	return is_write && is_near;
}

static bool is_changed(const struct hv_debug_point *point, const struct window *before, const struct window *after)
{
	for (size_t i = 0; i < WINDOW_BYTES; i++) {
		if (is_in(point, before->address + i) && before->bytes[i] != after->bytes[i])
			return true;
	}
	return false;
}

static size_t read_watch_count(const struct replay_target *target)
{
	size_t count = 0;
	for (size_t i = 0; i < target->point_count; i++)
		count += (target->points[i].access & HV_DEBUG_READ) != 0;
	return count;
}

/* Where the access at `here` is of an awatch or rwatch too, *address is of that. False: error set. */
static bool choose_read(struct replay_target *target, struct timeline_place here, uint64_t *address,
			struct error *error)
{
	size_t count = read_watch_count(target);
	if (count == 0)
		return true;
	struct hv_debug_point *points = calloc(count, sizeof(*points));
	if (!points)
		return error_set(error, STATUS_FAILED, "out of memory");
	for (size_t i = 0, at = 0; i < target->point_count; i++) {
		if (target->points[i].access & HV_DEBUG_READ)
			points[at++] = target->points[i];
	}
	const struct search search = {.points = {points, count, target->conditions}, .reverse = target->resume.reverse};
	struct stop stop = travel_step(target->timeline, &search, error);
	free(points);
	if (stop.kind == STOP_WATCHPOINT)
		*address = stop.address;
	return stop.kind != STOP_FAILED && timeline_return(target->timeline, here, error);
}

bool replay_target_watch_choose(struct replay_target *target, uint64_t *address, struct error *error)
{
	struct timeline_place here = timeline_place(target->timeline);
	uint64_t reported = *address;
	uint32_t thread =
		target->resume.reverse ? timeline_vcpu_before(target->timeline) : timeline_vcpu_index(target->timeline);
	const struct vcpu_state *vcpu = &timeline_state(target->timeline)->vcpu[thread];
	if (!has_neighbour(target, reported))
		return true;
	struct window before = window_read(target, vcpu, reported);
	if (!timeline_goto(target->timeline, target->resume.reverse ? here.n - 1 : here.n + 1, error))
		return false;
	struct window after = window_read(target, vcpu, reported);
	bool changed = false, found = false;
	for (size_t i = 0; i < target->point_count && !found; i++) {
		const struct hv_debug_point *point = &target->points[i];
		if (!is_write_watch(point) || !is_changed(point, &before, &after))
			continue;
		changed = true;
		found = is_in(point, reported);
		*address = found ? reported : point->address;
	}
	return timeline_return(target->timeline, here, error) && (changed || choose_read(target, here, address, error));
}
