/* Conditions go close together, so that equal points have equal bytes. */
#include "replay/run/engine.h"

#include <string.h>

void engine_points_take(struct engine_points *to, const uint8_t *conditions, const struct hv_debug_point *points,
			size_t count)
{
	to->count = count;
	to->condition_bytes = 0;
	for (size_t i = 0; i < count; i++) {
		struct hv_debug_point *point = &to->at[i];
		*point = points[i];
		if (point->condition_bytes > HV_CONDITION_BYTES - to->condition_bytes)
			point->condition_bytes = 0;
		point->condition = (uint32_t)to->condition_bytes;
		if (point->condition_bytes == 0)
			continue;
		memcpy(&to->conditions[point->condition], &conditions[points[i].condition], point->condition_bytes);
		to->condition_bytes += point->condition_bytes;
	}
}

bool engine_points_equal(const struct engine_points *a, const struct engine_points *b)
{
	return a->count == b->count && a->condition_bytes == b->condition_bytes &&
	       memcmp(a->at, b->at, a->count * sizeof(a->at[0])) == 0 &&
	       memcmp(a->conditions, b->conditions, a->condition_bytes) == 0;
}
