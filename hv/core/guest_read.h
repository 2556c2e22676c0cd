/* The guest's memory by virtual address, read as its current vCPU would, without a trace of it in the guest: no access
 * flag, no translation. */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>
#include <stddef.h>

/* The vCPU's registers are those last saved (arch_el1_save). `code`: as the guest executes it; else what it would read,
 * and false too where hv has words of its own (hv/core/patch.h). False, with nothing promised about `to`, if any of it
 * is not mapped, or neither RAM nor firmware. */
bool guest_read(va_t va, bool code, uint8_t *to, size_t bytes);
