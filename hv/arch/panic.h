/* hv's own bugs: always checked, one line to the host, the trace is flushed and the machine stops for good. */
#pragma once
#include <stdint.h>

#define CHECK(condition) ((condition) ? (void)0 : panic_check(#condition, __FILE__, __LINE__))

_Noreturn void panic_check(const char *condition, const char *file, int line);
/* An exception taken at EL2 itself; called by the vectors. Arguments as read from the CPU. */
_Noreturn void panic_exception(uint64_t vector, uint64_t esr, uint64_t elr, uint64_t far);
