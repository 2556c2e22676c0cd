/* A guest's page tables, walked by software: nothing of the guest changes, no access flag either. */
#pragma once
#include "hv/abi/guest_state.h"
#include "hv/abi/types.h"
#include <stdbool.h>

/* Reads a descriptor; false: there is no RAM. */
typedef bool guest_walk_read(const void *context, ipa_t ipa, uint64_t *descriptor);

/* Translates for a read at the vCPU's exception level (VMSAv8-64, Arm ARM D8.2; 4, 16 and 64 KiB granules, blocks,
 * TTBR0 and TTBR1). With the MMU off va is ipa. False: the guest would take a translation or address size fault. */
bool guest_walk(const struct vcpu_state *vcpu, va_t va, guest_walk_read *read, const void *context, ipa_t *ipa);
