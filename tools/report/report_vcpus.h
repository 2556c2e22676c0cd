/* What each of several vCPUs does, for the page: in the bins of the timeline, one by one where there are few enough
 * changes, and in numbers.
 *
 * 1. At any time a vCPU is off, waits for an interrupt, is ready, or runs. Off is what no series has.
 * 2. One that idles in its own turn waits. */
#pragma once
#include "replay/trace/trace_stat_vcpus.h"
#include "tools/report/report_bins.h"

enum { REPORT_CHANGES_MAX = 65536 };

enum report_doing { REPORT_OFF, REPORT_WAITS, REPORT_READY, REPORT_RUNS, REPORT_DOING_COUNT };

/* A vCPU does something else from here on. */
struct report_change {
	uint64_t ns;
	uint32_t vcpu;
	enum report_doing doing;
};

struct report_vcpus {
	struct trace_stat_vcpus stat;
	const struct report_bins *bins; /* theirs is the time that a bin takes */
	uint64_t ns[GUEST_VCPU_MAX][REPORT_DOING_COUNT][REPORT_BIN_COUNT];
	struct report_change last[GUEST_VCPU_MAX];
	struct report_change changes[REPORT_CHANGES_MAX];
	size_t change_count; /* more than REPORT_CHANGES_MAX: the others are not there */
	uint64_t idle_ns;    /* up to after the last event */
};

/* `bins` must outlive it; the caller frees it. NULL: out of memory, error set. */
struct report_vcpus *report_vcpus_new(const struct report_facts *facts, const struct report_bins *bins,
				      struct error *error);
/* Takes the next event. Cannot fail. */
void report_vcpus_add(struct report_vcpus *vcpus, const struct event *event, const struct report_place *place);
/* After the last one, at position `n`. Cannot fail. */
void report_vcpus_end(struct report_vcpus *vcpus, uint64_t n);
/* Writes it as one JSON object; null for a guest with one vCPU. */
void report_vcpus_json(const struct report_vcpus *vcpus, struct json *json);
