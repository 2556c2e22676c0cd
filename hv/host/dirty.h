/* Which pages of guest RAM were written: stage 2's dirty state, read and changed in the machine's own descriptors.
 *
 * A page is dirty from its first store after dirty_forget on (hardware sets S2AP[1], Arm ARM D8.4.6), as long as hv
 * forgets its translations after the host changed anything here (arch_tlb_forget). Only while hv stands still. */
#pragma once
#include "hv/host/machine.h"

struct dirty {
	uint64_t **leaf_tables; /* stage 2's tables of guest RAM, one for each 2 MiB */
	uint64_t page_count;    /* of guest RAM */
};

/* For a machine that has started; false: out of memory, error set. */
bool dirty_open(struct dirty *dirty, const struct machine *machine, struct error *error);
void dirty_close(struct dirty *dirty);

/* Words of a set of pages: page i is bit i % 64 of word i / 64. */
uint64_t dirty_set_words(const struct dirty *dirty);
/* Sets `pages` to those that were written. */
void dirty_get(const struct dirty *dirty, uint64_t *pages);
/* Whether page `index` of guest RAM was written. */
bool dirty_is(const struct dirty *dirty, uint64_t index);
/* The page counts as written. */
void dirty_set(struct dirty *dirty, uint64_t index);
/* From here on no page was. */
void dirty_forget(struct dirty *dirty);
