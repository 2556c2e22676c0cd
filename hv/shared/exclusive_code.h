/* Exclusive sequences are short and straight (Arm ARM B2.9.5), so the instructions before pc show whether one is open
 * there. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { EXCLUSIVE_CODE_LOOK_BACK = 32 };

/* Reads an instruction; false: it cannot be. */
typedef bool exclusive_code_read(const void *context, uint64_t va, uint32_t *word);

/* Load/store exclusive, register and pair. */
bool exclusive_code_is_exclusive(uint32_t word, bool load);
/* What ends a sequence: CLREX, RET, ERET, SVC and its like, unconditional branches. */
bool exclusive_code_is_barrier(uint32_t word);

/* Whether a sequence is open before the instruction at `pc`. */
bool exclusive_code_is_inside(exclusive_code_read *read, const void *context, uint64_t pc);

/* Whether no sequence is open before the instruction at `pc`, nor after it. */
bool exclusive_code_is_clear(exclusive_code_read *read, const void *context, uint64_t pc);
