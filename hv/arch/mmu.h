/* hv's own stage 1. */
#pragma once
#include <stdint.h>

/* Maps hv's image (code read-only, data not executable), the rest of [ram_start, ram_end) as data and [device_start,
 * device_end) as device memory, and turns EL2's MMU and caches on. Bounds are physical, multiples of 2 MiB, below 512
 * GiB. */
void mmu_init(uint64_t ram_start, uint64_t ram_end, uint64_t device_start, uint64_t device_end);
