/* Walks stage 2 as hv built it (hv/arch/stage2.c): its root is the first of the page tables, at level 2, or at level 1
 * if RAM ends above 16 GiB. */
#include "hv/host/dirty.h"
#include "hv/abi/descriptor.h"

#include <stdlib.h>

enum { WORDS_PER_TABLE = TABLE_ENTRIES / 64 };

static uint64_t *table_at(const struct machine *machine, uint64_t pa)
{
	return (uint64_t *)(void *)(machine->ram + (pa - HV_MACHINE_RAM_PA));
}

bool dirty_open(struct dirty *dirty, const struct machine *machine, struct error *error)
{
	const struct hv_boot *boot = machine->boot;
	uint64_t *root = table_at(machine, boot->tables_pa);
	bool from_level2 = GUEST_RAM_IPA + boot->guest_ram_bytes <= UINT64_C(1) << STAGE2_LEVEL2_START_IPA_BITS;
	dirty->page_count = boot->guest_ram_bytes / PAGE_BYTES;
	uint64_t count = (dirty->page_count + TABLE_ENTRIES - 1) / TABLE_ENTRIES;
	dirty->leaf_tables = calloc(count, sizeof(*dirty->leaf_tables));
	if (!dirty->leaf_tables)
		return error_set(error, STATUS_FAILED, "out of memory");
	for (uint64_t i = 0; i < count; i++) {
		uint64_t ipa = GUEST_RAM_IPA + (i << BLOCK_SHIFT);
		uint64_t *level2 = root;
		if (!from_level2)
			level2 = table_at(machine, root[ipa >> GIGABYTE_SHIFT] & DESC_ADDRESS_MASK);
		uint64_t index = from_level2 ? ipa >> BLOCK_SHIFT : ipa >> BLOCK_SHIFT & (TABLE_ENTRIES - 1);
		dirty->leaf_tables[i] = table_at(machine, level2[index] & DESC_ADDRESS_MASK);
	}
	return true;
}

void dirty_close(struct dirty *dirty)
{
	free(dirty->leaf_tables);
	*dirty = (struct dirty){0};
}

static uint64_t *leaf(const struct dirty *dirty, uint64_t index)
{
	return &dirty->leaf_tables[index / TABLE_ENTRIES][index % TABLE_ENTRIES];
}

bool dirty_is(const struct dirty *dirty, uint64_t index)
{
	return __atomic_load_n(leaf(dirty, index), __ATOMIC_RELAXED) & S2_AP_WRITE;
}

void dirty_set(struct dirty *dirty, uint64_t index)
{
	*leaf(dirty, index) |= S2_AP_WRITE;
}

uint64_t dirty_set_words(const struct dirty *dirty)
{
	return (dirty->page_count + TABLE_ENTRIES - 1) / TABLE_ENTRIES * WORDS_PER_TABLE;
}

/* The descriptors of word `word` of a page set. */
static uint64_t *leaves_of(const struct dirty *dirty, uint64_t word)
{
	return &dirty->leaf_tables[word / WORDS_PER_TABLE][word % WORDS_PER_TABLE * 64];
}

static bool any_written(const uint64_t leaves[64])
{
	uint64_t any = 0;
	for (unsigned i = 0; i < 64; i++)
		any |= leaves[i];
	return any & S2_AP_WRITE;
}

void dirty_get(const struct dirty *dirty, uint64_t *pages)
{
	for (uint64_t word = 0; word < dirty_set_words(dirty); word++) {
		const uint64_t *leaves = leaves_of(dirty, word);
		pages[word] = 0;
		for (unsigned i = 0, count = any_written(leaves) ? 64 : 0; i < count; i++)
			pages[word] |= (uint64_t)((leaves[i] & S2_AP_WRITE) != 0) << i;
	}
}

void dirty_forget(struct dirty *dirty)
{
	for (uint64_t word = 0; word < dirty_set_words(dirty); word++) {
		uint64_t *leaves = leaves_of(dirty, word);
		for (unsigned i = 0, count = any_written(leaves) ? 64 : 0; i < count; i++)
			leaves[i] &= ~S2_AP_WRITE;
	}
}
