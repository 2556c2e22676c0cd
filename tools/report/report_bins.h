/* The run cut into bins of equal guest time, each with its number of events by kind: what the page draws where single
 * events would be too many. Coarser levels are sums of these, made in the page.
 *
 * 1. Every event is in exactly one bin of its kind's series.
 * 2. Idle time is divided among the bins that it lies in. */
#pragma once
#include "tools/json.h"
#include "tools/report/report_scan.h"

enum {
	REPORT_BIN_COUNT = 8192,
	REPORT_SERIES_CONSOLE = EVENT_KIND_MAX + 1, /* bytes; the series before are the kinds of events */
	REPORT_SERIES_COUNT,
};

struct report_bins {
	uint64_t bin_ns; /* of guest time */
	uint64_t counts[REPORT_SERIES_COUNT][REPORT_BIN_COUNT];
	uint64_t events[REPORT_BIN_COUNT];  /* of all kinds */
	uint64_t first_n[REPORT_BIN_COUNT]; /* of a bin's first event; 0 without events */
	uint64_t idle_ns[REPORT_BIN_COUNT];
};

/* Empty bins for a run of `length_ns`; the caller frees them. NULL: out of memory, error set. */
struct report_bins *report_bins_new(uint64_t length_ns, struct error *error);
/* The bin of a guest time; times beyond the run are in the last one. Cannot fail. */
size_t report_bins_index(const struct report_bins *bins, uint64_t time_ns);
/* Divides the time from `from_ns` on among the bins that it lies in. Cannot fail. */
void report_bins_spread(const struct report_bins *bins, uint64_t values_ns[REPORT_BIN_COUNT], uint64_t from_ns,
			uint64_t ns);
/* Counts an event. Cannot fail. */
void report_bins_add(struct report_bins *bins, const struct event *event, const struct report_place *place);
/* The largest number of events that a bin may have so that all events of all such bins are at most `event_count_max`.
 */
uint64_t report_bins_threshold(const struct report_bins *bins, uint64_t event_count_max);
/* Writes the values of all bins as [gap,value,…]: those that are not 0, each with its distance to the bin of the one
 * before. */
void report_bins_sparse_json(const uint64_t *values, const char *key, struct json *json);
/* Writes the bins as one JSON object. */
void report_bins_json(const struct report_bins *bins, struct json *json);
