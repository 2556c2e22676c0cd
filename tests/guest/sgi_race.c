/* An SGI sent to this CPU while interrupts are masked is taken exactly once when they are unmasked, however the place
 * where that happens lies to the interrupts of the machine below. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "sgi_race";

enum { SGI = 1, ROUND_COUNT = 20000 };
#define SGI1R_SELF ((uint64_t)SGI << 24 | 1)

static volatile uint64_t irq_count;

static void take_sgi(uint32_t intid)
{
	CHECK(intid == SGI, "wrong interrupt number");
	irq_count++;
}

void guest_main(void)
{
	input_ask();
	exception_on_irq = take_sgi;
	gic_init();
	gic_enable(SGI);
	for (uint64_t i = 1; i <= ROUND_COUNT; i++) {
		SYSREG_WRITE(icc_sgi1r_el1, SGI1R_SELF);
		/* One long block, so that what the machine below raises meanwhile is taken at its end. */
		__asm__ volatile(".rept 200\n nop\n .endr\n msr daifclr, #2\n isb\n msr daifset, #2" ::: "memory");
		CHECK(irq_count == i, "SGI not taken once");
	}
}
