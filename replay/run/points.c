/* Conditions go close together, so that equal points have equal bytes. */
#include "replay/run/points.h"

#include <string.h>

void points_pack(struct points_packed *to, struct points from)
{
	to->count = from.count;
	to->condition_bytes = 0;
	for (size_t i = 0; i < from.count; i++) {
		struct hv_debug_point *point = &to->at[i];
		*point = from.at[i];
		if (point->condition_bytes > HV_CONDITION_BYTES - to->condition_bytes)
			point->condition_bytes = 0;
		point->condition = (uint32_t)to->condition_bytes;
		if (point->condition_bytes == 0)
			continue;
		memcpy(&to->conditions[point->condition], &from.conditions[from.at[i].condition],
		       point->condition_bytes);
		to->condition_bytes += point->condition_bytes;
	}
}

bool points_packed_equal(const struct points_packed *a, const struct points_packed *b)
{
	return a->count == b->count && a->condition_bytes == b->condition_bytes &&
	       memcmp(a->at, b->at, a->count * sizeof(a->at[0])) == 0 &&
	       memcmp(a->conditions, b->conditions, a->condition_bytes) == 0;
}
