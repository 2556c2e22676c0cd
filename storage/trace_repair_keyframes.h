/* The part of a repair that is about keyframes: which can be used, and putting them into the new trace. */
#pragma once
#include "storage/trace_repair.h"
#include "storage/trace_salvage.h"

/* The keyframe at `start_n`, for a trace that starts there. NULL: it is damaged or missing, or a page group of it is.
 * Older groups may have been left out when the trace was made; one that is there and damaged counts as lost. */
const struct trace_salvage_keyframe *trace_repair_keyframes_start(const struct trace_salvage *found, uint64_t start_n);

/* Puts the keyframes from `start` (NULL: from the first) on into `out` (NULL: only a survey), as far as their events,
 * those below `next_event`, and all page groups up to them are there. Fills the report's counts. False: writing failed,
 * or `start` itself cannot be unpacked; error set. */
bool trace_repair_keyframes(struct trace_salvage *found, struct trace_writer *out,
			    const struct trace_salvage_keyframe *start, uint64_t next_event,
			    struct trace_repair_report *report, struct error *error);
