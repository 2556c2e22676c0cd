/* Guest memory by virtual address, as the stopped vCPU translates it: a walk of its own page tables in RAM. */
#pragma once
#include "hv/abi/guest_state.h"
#include "hv/abi/types.h"
#include <stdbool.h>
#include <stddef.h>

/* All of guest RAM, at GUEST_RAM_IPA, and the firmware's image, at GUEST_FLASH_IPA. */
struct guest_memory {
	const uint8_t *ram;
	uint64_t bytes;
	const uint8_t *flash;
	uint64_t flash_bytes; /* 0: there is none */
};

/* Translates for a read at the vCPU's exception level (VMSAv8-64, Arm ARM D8.2; 4, 16 and 64 KiB granules, blocks,
 * TTBR0 and TTBR1). With the MMU off va is ipa. False: the guest would take a translation or address size fault. */
bool guest_memory_translate(struct guest_memory memory, const struct vcpu_state *vcpu, va_t va, ipa_t *ipa);

/* Where `bytes` at `ipa` are in guest RAM. False: some of it is not RAM. */
bool guest_memory_offset(struct guest_memory memory, ipa_t ipa, size_t bytes, uint64_t *offset);

/* Copies `bytes` of guest memory out, by virtual or by physical address. False, with nothing promised about `to`, if
 * any of it is not mapped, or neither RAM nor firmware. */
bool guest_memory_read(struct guest_memory memory, const struct vcpu_state *vcpu, va_t va, void *to, size_t bytes);
bool guest_memory_read_physical(struct guest_memory memory, ipa_t ipa, void *to, size_t bytes);
