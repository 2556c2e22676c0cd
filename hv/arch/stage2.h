/* The guest's stage 2. */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>

/* Maps `bytes` of guest RAM at `ipa` to `pa` (both 4 KiB aligned). Must be the
 * first user of pagetable_alloc, whose pool the host aligns to 64 KiB. At most 42 bits of IPA. */
void stage2_init(ipa_t ipa, pa_t pa, uint64_t bytes);
/* Maps `bytes` at `ipa` to `pa` (all 2 MiB aligned, nothing there yet), to be read and run, and not written. */
void stage2_map_code(ipa_t ipa, pa_t pa, uint64_t bytes);
/* Maps `bytes` at `ipa` (both 2 MiB aligned, nothing there yet) to zeros that can be read, and neither written nor run.
 */
void stage2_map_zeros(ipa_t ipa, uint64_t bytes);
/* Puts the map in force on the CPU that calls. All CPUs share it, and one VMID, so that what one vCPU invalidates by
 * broadcast is gone everywhere. */
void stage2_enable(void);
