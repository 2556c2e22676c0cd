/* Table memory for both translation regimes, handed out once at boot and never given back. */
#include "hv/arch/pagetable.h"
#include "hv/arch/panic.h"

static uint64_t pool_next, pool_end;

void pagetable_init(uint64_t pool_pa, uint64_t pool_bytes)
{
	pool_next = pool_pa;
	pool_end = pool_pa + pool_bytes;
}

uint64_t *pagetable_alloc(uint64_t pages)
{
	uint64_t *table = (uint64_t *)pool_next;
	CHECK(pages <= (pool_end - pool_next) / PAGE_BYTES);
	pool_next += pages * PAGE_BYTES;
	for (uint64_t i = 0; i < pages * TABLE_ENTRIES; i++)
		table[i] = 0;
	return table;
}

uint64_t *pagetable_next(uint64_t *entry)
{
	if (!(*entry & DESC_VALID))
		*entry = (uint64_t)pagetable_alloc(1) | DESC_VALID | DESC_TABLE;
	return (uint64_t *)(*entry & DESC_ADDRESS_MASK);
}
