/* Exceptions that hv has the guest take at EL1 (Arm ARM D1.3: exception entry). */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>
#include <stdint.h>

/* Undefined Instruction at pc. */
void inject_undefined(void);
/* A trap of EL0 that came to EL2 with `esr`, as EL1 would have taken it. */
void inject_trap(uint64_t esr);
/* Synchronous External abort for an access to nothing at `far`; `is_walk`: on a translation table walk at `level`. */
void inject_external_abort(va_t far, bool is_instruction, bool is_write, bool is_walk, uint32_t level);
/* A debug exception that came to EL2 with `esr`, as EL1 would have taken it. `far` is set for watchpoints only. */
void inject_debug(uint64_t esr, va_t far, bool has_far);
