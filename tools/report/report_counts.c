/* Open addressing, at most half full. */
#include "tools/report/report_counts.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 256 };

static uint64_t total(const struct report_count *count)
{
	return count->counts[0] + count->counts[1];
}

/* The slot of `key`, or the free one where it belongs. */
static struct report_count *find(struct report_count *slots, size_t slot_count, uint64_t key)
{
	size_t at = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (slot_count - 1);
	while (total(&slots[at]) != 0 && slots[at].key != key)
		at = (at + 1) & (slot_count - 1);
	return &slots[at];
}

static bool grow(struct report_counts *counts, struct error *error)
{
	size_t slot_count = counts->slot_count > 0 ? counts->slot_count * 2 : SLOTS_FIRST;
	struct report_count *slots = calloc(slot_count, sizeof(*slots));
	if (!slots)
		return error_set(error, STATUS_FAILED, "out of memory");
	for (size_t i = 0; i < counts->slot_count; i++) {
		if (total(&counts->slots[i]) != 0)
			*find(slots, slot_count, counts->slots[i].key) = counts->slots[i];
	}
	free(counts->slots);
	counts->slots = slots;
	counts->slot_count = slot_count;
	return true;
}

bool report_counts_add(struct report_counts *counts, uint64_t key, unsigned column, uint64_t n, struct error *error)
{
	if (counts->key_count * 2 >= counts->slot_count && counts->key_count < REPORT_COUNTS_KEYS_MAX &&
	    !grow(counts, error))
		return false;
	struct report_count *slot = find(counts->slots, counts->slot_count, key);
	if (total(slot) == 0 && counts->key_count >= REPORT_COUNTS_KEYS_MAX) {
		counts->others++;
		return true;
	}
	if (total(slot) == 0) {
		slot->key = key;
		slot->first_n = n;
		counts->key_count++;
	}
	slot->counts[column]++;
	return true;
}

static bool before(const struct report_count *a, const struct report_count *b)
{
	return total(a) != total(b) ? total(a) > total(b) : a->key < b->key;
}

size_t report_counts_top(const struct report_counts *counts, struct report_count *top, size_t max)
{
	size_t used = 0;
	for (size_t i = 0; i < counts->slot_count; i++) {
		const struct report_count *slot = &counts->slots[i];
		if (total(slot) == 0 || max == 0 || (used == max && !before(slot, &top[used - 1])))
			continue;
		size_t at = used < max ? used++ : used - 1;
		for (; at > 0 && before(slot, &top[at - 1]); at--)
			top[at] = top[at - 1];
		top[at] = *slot;
	}
	return used;
}

void report_counts_free(struct report_counts *counts)
{
	free(counts->slots);
	*counts = (struct report_counts){0};
}
