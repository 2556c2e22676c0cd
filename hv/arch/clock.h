/* Start-up of the instruction clock; the rest of its interface is in hv/arch/arch.h. */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>

/* Programs the counters of the CPU that calls and finds how the two clocks lie to each other. Returns false if this
 * machine's counters are not exact (not an instruction clock: no -icount, or a counter frequency other than
 * GUEST_COUNTER_HZ). */
bool clock_init(void);
/* The clock goes on at `n` on the CPU that calls, without an alarm. */
void clock_arrive(insn_t n);
