/* Exceptions that hv has the guest take at EL1 (Arm ARM D1.3: exception entry). False: that changed nothing, for the
 * guest stood at the vector and had taken the same exception there before, so it will for ever. */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>
#include <stdint.h>

/* Undefined Instruction at pc. */
bool inject_undefined(void);
/* A trap of EL0 that came to EL2 with `esr`, as EL1 would have taken it. */
bool inject_trap(uint64_t esr);
/* Synchronous External abort for an access to nothing at `far`; `is_walk`: on a translation table walk at `level`. */
bool inject_external_abort(va_t far, bool is_instruction, bool is_write, bool is_walk, uint32_t level);
/* A debug exception that came to EL2 with `esr`, as EL1 would have taken it. `far` is set for watchpoints only. */
bool inject_debug(uint64_t esr, va_t far, bool has_far);
