/* Cutting a trace: a smaller one that starts at a keyframe and ends early, and replays. */
#pragma once
#include "hv/error/error.h"
#include <stdint.h>

struct trim_result {
	uint64_t start_n, end_n; /* what the new trace really has */
	uint64_t event_count;
	uint64_t from_bytes, to_bytes; /* of the two files */
};

/* Writes to `to` what of trace `from` is needed to replay positions first_n to last_n: from the last keyframe at or
 * before first_n that an event follows to the first event after it that is at or after last_n. Positions and event
 * numbers stay what they were. On failure there is no `to`. */
bool trim_run(const char *from, const char *to, uint64_t first_n, uint64_t last_n, struct trim_result *result,
	      struct error *error);
