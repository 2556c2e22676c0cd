/* The conditions of gdb's breakpoints, for hv to decide. */
#include "replay/debugger/target_state.h"

#include <stdlib.h>
#include <string.h>

/* Enough for every condition that a user writes; what is beyond is decided by the stub. */
enum { CONDITION_BYTES_MAX = 1 << 20 };

static bool append(struct replay_target *target, const uint8_t *conditions, size_t bytes)
{
	uint8_t *larger = realloc(target->conditions, target->condition_bytes + bytes);
	if (!larger)
		return false;
	memcpy(&larger[target->condition_bytes], conditions, bytes);
	target->conditions = larger;
	target->condition_bytes += bytes;
	return true;
}

void replay_target_take_conditions(struct replay_target *target)
{
	target->condition_bytes = 0;
	for (size_t i = 0; i < target->point_count; i++) {
		struct hv_debug_point *point = &target->points[i];
		size_t bytes = 0, begin = target->condition_bytes;
		const uint8_t *conditions = gdbstub_conditions(target->stub, target->kinds[i], point->address, &bytes);
		bool taken = conditions && bytes <= CONDITION_BYTES_MAX - begin && append(target, conditions, bytes);
		point->condition = taken ? (uint32_t)begin : 0;
		point->condition_bytes = taken ? (uint32_t)bytes : 0;
	}
}
