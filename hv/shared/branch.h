/* Where an A64 instruction leads, as far as its word says. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* How far B, BL, B.cond, CBZ and TBZ lead (Arm ARM C4.1.86), in bytes; 0: no such branch. */
int64_t branch_bytes(uint32_t word);
/* Whether it leads where the word does not tell, or never goes on: a branch to a register, RET, ERET, and what
 * generates an exception. */
bool branch_is_indirect(uint32_t word);
