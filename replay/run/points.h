/* Points, which are breakpoints and watchpoints, on their way to hv. */
#pragma once
#include "hv/abi/mailbox.h"
#include <stdbool.h>
#include <stddef.h>

/* Some points, and the bytes that their conditions are in (hv_debug_point.condition). A view: it owns nothing. */
struct points {
	const struct hv_debug_point *at;
	size_t count;
	const uint8_t *conditions; /* NULL: none has a condition */
};

/* As a value: to run without points. */
#define POINTS_NONE ((struct points){NULL, 0, NULL})

/* A copy of points with their conditions, as hv gets them. What has no room is left out: hv then stops where only the
 * condition would tell. Padding is zero. */
struct points_packed {
	struct hv_debug_point at[HV_DEBUG_POINTS_MAX];
	size_t count, condition_bytes;
	uint8_t conditions[HV_CONDITION_BYTES];
};

/* At most HV_DEBUG_POINTS_MAX points. */
void points_pack(struct points_packed *to, struct points from);
bool points_packed_equal(const struct points_packed *a, const struct points_packed *b);
