/* Kernel addresses while a guest with page table isolation is in EL0, where its own TTBR1 maps next to nothing. */
#pragma once
#include "hv/abi/types.h"
#include "replay/travel/timeline.h"

/* Reads by virtual address as guest_memory_read does for this vCPU; an address of the upper half that its tables do not
 * have is looked for in those that the guest had at EL1, at the checkpoints that are nearest before here. */
bool kernel_table_read(const struct timeline *timeline, const struct vcpu_state *vcpu, va_t va, void *to, size_t bytes);
