/* Decodes load-exclusive and store-exclusive, and what stands between them: for exclusive sequences that hv has to take
 * the guest through step by step. Nothing about a word is trusted.
 *
 * Encodings: Arm ARM (DDI 0487) C4.1. Freestanding; also built for the host's tests. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* LDXR, LDAXR, LDXP, LDAXP, STXR, STLXR, STXP, STLXP and their byte and halfword forms. Register number 31 is XZR, and
 * SP as rn. */
struct decode_exclusive {
	bool is_load;
	uint8_t rs; /* of a store: takes its status */
	uint8_t rn;
	uint8_t bytes; /* of the whole access: 1, 2, 4, 8 or 16 */
};

/* False: the word is none of them. */
bool decode_exclusive(uint32_t word, struct decode_exclusive *access);

/* The plain store (STR, STRB, STRH, STP) that does what the store-exclusive `word` does, without its status. */
uint32_t decode_exclusive_plain(uint32_t word);

/* Whether the instruction ends the sequence that it stands in: CLREX, an exception and the return from one. */
bool decode_exclusive_ends(uint32_t word);

/* Whether the instruction may stand between the load at `rn` and its store, so that a guest which stands after it has
 * executed it: no branch that is always taken, nothing that changes `rn`, PSTATE's masks or the system's state, and no
 * exclusive. It refuses some that may. */
bool decode_exclusive_passes(uint32_t word, uint8_t rn);
