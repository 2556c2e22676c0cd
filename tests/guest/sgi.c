/* Software generated interrupts: each of the 16 to this CPU, by ICC_SGI1R and by the redistributor; to others: none. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "sgi";

enum { SGI_COUNT = 16 };
#define SGI1R_ALL_BUT_SELF (UINT64_C(1) << 40)

static volatile uint32_t taken[SGI_COUNT];
static volatile uint32_t total;

static void take_sgi(uint32_t intid)
{
	CHECK(intid < SGI_COUNT, "no SGI");
	taken[intid]++;
	total++;
}

static void send(uint64_t value)
{
	SYSREG_WRITE(icc_sgi1r_el1, value);
	isb(); /* the SGI is generated */
	for (int i = 0; i < 100; i++)
		isb();
}

void guest_main(void)
{
	exception_on_irq = take_sgi;
	gic_init();
	irq_unmask();
	for (uint32_t i = 0; i < SGI_COUNT; i++) {
		gic_enable(i);
		send((uint64_t)i << 24 | 1);
		CHECK(taken[i] == 1, "SGI to this CPU not taken once");
		gic_set_pending(i);
		CHECK(taken[i] == 2, "SGI set pending in GICR_ISPENDR0 not taken once");
	}
	send(SGI1R_ALL_BUT_SELF | 5 << 24);
	send(5 << 24 | 2);
	send(UINT64_C(1) << 16 | 5 << 24 | 1);
	CHECK(total == 2 * SGI_COUNT, "SGI for another CPU taken");
	irq_mask();
	send(7 << 24 | 1);
	send(7 << 24 | 1);
	irq_unmask();
	CHECK(total == 2 * SGI_COUNT + 1, "SGI pending twice not taken once");
}
