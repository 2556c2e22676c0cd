/* Start-up of the instruction clock; the rest of its interface is in hv/arch/arch.h. */
#pragma once
#include <stdbool.h>

/* Programs the counters and finds how the two clocks lie to each other. Returns false if this machine's counters are
 * not exact (not an instruction clock: no -icount, or a counter frequency other than GUEST_COUNTER_HZ). */
bool clock_init(void);
