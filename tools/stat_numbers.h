/* Numbers that `hvrec stat` makes of what was counted. None of them can fail. */
#pragma once
#include "replay/trace/trace_stat.h"

static inline double stat_ratio(uint64_t part, uint64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : 0;
}

/* Per million instructions; per second of guest time. */
static inline double stat_per_million(const struct trace_stat *stat, uint64_t count)
{
	return stat_ratio(count, stat->instructions) * 1e6;
}

static inline double stat_per_second(const struct trace_stat *stat, uint64_t count)
{
	return stat_ratio(count, stat->guest_ns) * 1e9;
}

static inline uint64_t stat_sum(const uint64_t values[EVENT_KIND_MAX + 1])
{
	uint64_t all = 0;
	for (int kind = 0; kind <= EVENT_KIND_MAX; kind++)
		all += values[kind];
	return all;
}

/* What is neither events, files, keyframes, blocks of disks nor payloads: sqlite's pages, indexes and free room,
 * metadata, further tables. */
static inline uint64_t stat_rest_bytes(const struct trace_stat *stat)
{
	uint64_t known_bytes = stat_sum(stat->weights.stored_bytes) + stat->totals.blob_stored_bytes +
			       stat->totals.keyframe_stored_bytes + stat->totals.block_stored_bytes +
			       stat->totals.payload_stored_bytes;
	return stat->file_bytes > known_bytes ? stat->file_bytes - known_bytes : 0;
}
