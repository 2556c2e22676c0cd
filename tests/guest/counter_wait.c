/* Waits 20 ms by polling the physical counter, as boot loaders and most bare-metal programs do. */
#include "tests/guest/lib/guest.h"

const char guest_name[] = "counter_wait";

enum { WAITS_A_SECOND = 50 };

void guest_main(void)
{
	uint64_t ticks = SYSREG_READ(cntfrq_el0) / WAITS_A_SECOND;
	uint64_t start = SYSREG_READ(cntpct_el0);
	do
		isb(); /* the counter is not read ahead of the loop */
	while (SYSREG_READ(cntpct_el0) - start < ticks);
}
