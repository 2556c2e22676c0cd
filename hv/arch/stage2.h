/* The guest's stage 2. */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>

/* Maps `bytes` of guest RAM at `ipa` to `pa` (both 4 KiB aligned) and programs VTCR_EL2 and VTTBR_EL2. Must be the
 * first user of pagetable_alloc, whose pool the host aligns to 64 KiB. At most 42 bits of IPA. */
void stage2_init(ipa_t ipa, pa_t pa, uint64_t bytes);
