/* The cycle counter: can be switched on, only goes up, moves with work, and keeps what is written while it is off. */
#include "tests/guest/lib/guest.h"

const char guest_name[] = "pmu";

enum { PMCR_E = 1, PMCR_LC = 1 << 6, READ_COUNT = 10000 };
#define CYCLE_COUNTER (UINT64_C(1) << 31)

void guest_main(void)
{
	CHECK(SYSREG_READ(id_aa64dfr0_el1) >> 8 & 15, "no PMU");
	SYSREG_WRITE(pmccfiltr_el0, 0);
	SYSREG_WRITE(pmcr_el0, PMCR_E | PMCR_LC);
	SYSREG_WRITE(pmcntenset_el0, CYCLE_COUNTER);
	isb(); /* it counts from here on */
	CHECK(SYSREG_READ(pmcntenset_el0) & CYCLE_COUNTER, "cycle counter not enabled");
	uint64_t first = SYSREG_READ(pmccntr_el0), last = first;
	for (int i = 0; i < READ_COUNT; i++) {
		uint64_t now = SYSREG_READ(pmccntr_el0);
		CHECK(now >= last, "cycle counter went down");
		last = now;
	}
	CHECK(last > first, "cycle counter stands still");
	SYSREG_WRITE(pmcntenclr_el0, CYCLE_COUNTER);
	isb(); /* it stands still from here on */
	SYSREG_WRITE(pmccntr_el0, 12345);
	isb(); /* the write comes before the read */
	CHECK(SYSREG_READ(pmccntr_el0) == 12345, "disabled cycle counter did not keep its value");
}
