/* Memory for page tables, and the tables that it becomes. */
#pragma once
#include "hv/abi/descriptor.h"

/* Takes zeroed, page-aligned memory for tables from the room that the host set aside; only at boot. Panics if the host
 * gave too little (layout_machine computes it). */
uint64_t *pagetable_alloc(uint64_t pages);
void pagetable_init(uint64_t pool_pa, uint64_t pool_bytes);
/* The next-level table below `entry`, made if it is not there yet. */
uint64_t *pagetable_next(uint64_t *entry);
