/* gdb's breakpoints and watchpoints as the CPU's: a watched range may take several. */
#include "replay/debugger/target_state.h"

#include <stdlib.h>
#include <string.h>

bool replay_target_is_breakpoint(const struct replay_target *target, uint64_t address)
{
	for (size_t i = 0; i < target->point_count; i++) {
		if (target->points[i].bytes == 0 && target->points[i].address == address)
			return true;
	}
	return false;
}

struct points replay_target_points(const struct replay_target *target)
{
	return (struct points){target->points, target->point_count, target->conditions};
}

struct search replay_target_search(const struct replay_target *target)
{
	return (struct search){
		.points = replay_target_points(target),
		.reverse = target->resume.reverse,
		.skip_access = target->skip_access,
	};
}

static uint32_t access_of(enum target_break_kind kind)
{
	switch (kind) {
	case TARGET_WATCH_WRITE:
		return HV_DEBUG_WRITE;
	case TARGET_WATCH_READ:
		return HV_DEBUG_READ;
	case TARGET_WATCH_ACCESS:
		return HV_DEBUG_READ | HV_DEBUG_WRITE;
	case TARGET_BREAK_SOFTWARE:
	case TARGET_BREAK_HARDWARE:
	case TARGET_BREAK_KIND_COUNT:
	default:
		return 0;
	}
}

/* A watched range may need as many as it likes. */
enum { POINT_COUNT_MAX = 65536 };

static bool point_add(struct replay_target *target, const struct hv_debug_point *point, enum target_break_kind kind)
{
	if (target->point_count == POINT_COUNT_MAX)
		return false;
	if (target->point_count == target->point_room) {
		size_t room = target->point_room == 0 ? 16 : target->point_room * 2;
		struct hv_debug_point *points = realloc(target->points, room * sizeof(*points));
		if (points)
			target->points = points;
		enum target_break_kind *kinds = realloc(target->kinds, room * sizeof(*kinds));
		if (kinds)
			target->kinds = kinds;
		if (!points || !kinds)
			return false;
		target->point_room = room;
	}
	target->kinds[target->point_count] = kind;
	target->points[target->point_count++] = *point;
	return true;
}

/* The first piece of a watched range: inside one doubleword, or a power of two of bytes at a multiple of itself. */
static uint64_t piece_bytes(uint64_t at, uint64_t left)
{
	uint64_t bytes = 8 - at % 8;
	if (bytes < 8 || left < 16)
		return bytes < left ? bytes : left;
	while (bytes < UINT64_C(1) << 31 && at % (2 * bytes) == 0 && 2 * bytes <= left)
		bytes *= 2;
	return bytes;
}

/* The point of a breakpoint, or that of a watched range which begins `done` bytes after its start. */
static struct hv_debug_point point_of(const struct target_breakpoint *breakpoint, uint64_t done)
{
	uint32_t access = access_of(breakpoint->kind);
	uint64_t at = breakpoint->address.v + done;
	uint64_t bytes = access == 0 ? 0 : piece_bytes(at, breakpoint->bytes - done);
	return (struct hv_debug_point){.address = at, .bytes = (uint32_t)bytes, .access = access};
}

/* How much of a breakpoint its point covers: one is enough for all of what is no watched range. */
static uint64_t covered_bytes(const struct target_breakpoint *breakpoint, const struct hv_debug_point *point)
{
	return point->bytes == 0 ? breakpoint->bytes : point->bytes;
}

bool replay_target_breakpoint_insert(void *context, const struct target_breakpoint *breakpoint)
{
	struct replay_target *target = context;
	struct hv_debug_point point;
	size_t before = target->point_count;
	for (uint64_t done = 0; done < breakpoint->bytes; done += covered_bytes(breakpoint, &point)) {
		point = point_of(breakpoint, done);
		if (!point_add(target, &point, breakpoint->kind)) {
			target->point_count = before;
			return false;
		}
	}
	return true;
}

/* One of those that are like it: watched ranges may overlap. */
static void point_remove(struct replay_target *target, const struct hv_debug_point *point, enum target_break_kind kind)
{
	size_t i = 0, last = target->point_count - 1;
	while (i < target->point_count && (target->kinds[i] != kind || target->points[i].address != point->address ||
					   target->points[i].bytes != point->bytes))
		i++;
	if (i == target->point_count)
		return;
	memmove(&target->kinds[i], &target->kinds[i + 1], (last - i) * sizeof(*target->kinds));
	memmove(&target->points[i], &target->points[i + 1], (last - i) * sizeof(*target->points));
	target->point_count = last;
}

void replay_target_breakpoint_remove(void *context, const struct target_breakpoint *breakpoint)
{
	struct hv_debug_point point;
	for (uint64_t done = 0; done < breakpoint->bytes; done += covered_bytes(breakpoint, &point)) {
		point = point_of(breakpoint, done);
		point_remove(context, &point, breakpoint->kind);
	}
}
