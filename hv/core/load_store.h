/* The load or store that the guest stands before: fetched, decoded, and its address computed. Called where a syndrome
 * does not say what the instruction accesses: by the data abort handler, and for watchpoints. */
#pragma once
#include "hv/abi/types.h"
#include "hv/core/decode.h"

struct load_store {
	uint32_t word; /* 0: not to be had */
	struct decode_access access;
	uint64_t base; /* of rn, or the instruction's own address */
	uint64_t va;   /* of the first byte */
};

/* False: it is not a plain load or store (decode.h), in AArch32, or cannot be fetched; of *here only `word` is right.
 */
bool load_store_here(struct load_store *here);

/* The instruction at `va`, and where in RAM or flash it stands. False: in AArch32, or it cannot be fetched. */
bool load_store_fetch(va_t va, uint32_t *word, volatile uint32_t **at);
