/* hv's own stage 1. */
#pragma once
#include <stdint.h>

/* Maps hv's image (code read-only, data not executable), the rest of [ram_start, ram_end) as data and [device_start,
 * device_end) as device memory. Bounds are physical, multiples of 2 MiB, below 512 GiB. */
void mmu_map(uint64_t ram_start, uint64_t ram_end, uint64_t device_start, uint64_t device_end);
/* Turns EL2's MMU and caches on, on the CPU that calls. */
void mmu_enable(void);
