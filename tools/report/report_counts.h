/* How often each of many numbers came: registers, interrupts, pcs. A hash table that grows up to a bound; what comes
 * new after that is counted as others, so that memory is bounded whatever the trace. */
#pragma once
#include "hv/error/error.h"
#include <stddef.h>
#include <stdint.h>

enum { REPORT_COUNTS_KEYS_MAX = 1 << 20, REPORT_COUNTS_COLUMNS = 2 };

struct report_count {
	uint64_t key;
	uint64_t counts[REPORT_COUNTS_COLUMNS];
	uint64_t first_n; /* of the first event with this key */
};

/* All 0: empty. */
struct report_counts {
	struct report_count *slots; /* with all counts 0: free */
	size_t key_count, slot_count;
	uint64_t others; /* events whose key has no slot any more */
};

/* Counts one event of `key` in a column, 0 or 1. False: out of memory, error set. */
bool report_counts_add(struct report_counts *counts, uint64_t key, unsigned column, uint64_t n, struct error *error);
/* Copies up to `max` of the most frequent, most first, equal ones by key. Returns how many. Cannot fail. */
size_t report_counts_top(const struct report_counts *counts, struct report_count *top, size_t max);
void report_counts_free(struct report_counts *counts);
