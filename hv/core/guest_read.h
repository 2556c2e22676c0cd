/* The guest's memory by virtual address, read as its current vCPU would, without a trace of it in the guest: no access
 * flag, no translation. */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>
#include <stddef.h>

/* The vCPU's registers are those last saved (arch_el1_save). False, with nothing promised about `to`, if any of it is
 * not mapped or not RAM. */
bool guest_read(va_t va, uint8_t *to, size_t bytes);
