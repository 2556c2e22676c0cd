/* WFI: sleeps until the timer, takes guest time, wakes with interrupts masked too, and does not sleep when one is due.
 */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/timer.h"

const char guest_name[] = "wfi";

enum { SLEEP_TICKS = 1250000, ROUND_COUNT = 10 }; /* 20 ms */

static volatile uint64_t irq_count;

static void take_timer(uint32_t intid)
{
	CHECK(intid == TIMER_INTID_VIRTUAL, "wrong interrupt number");
	SYSREG_WRITE(cntv_ctl_el0, 0);
	isb(); /* the line is low before the end of interrupt */
	irq_count++;
}

void guest_main(void)
{
	exception_on_irq = take_timer;
	gic_init();
	gic_enable(TIMER_INTID_VIRTUAL);
	for (uint64_t i = 1; i <= ROUND_COUNT; i++) {
		uint64_t deadline = SYSREG_READ(cntvct_el0) + SLEEP_TICKS;
		SYSREG_WRITE(cntv_cval_el0, deadline);
		SYSREG_WRITE(cntv_ctl_el0, TIMER_ENABLE);
		isb(); /* the timer runs before the CPU sleeps */
		while (!gic_is_pending(TIMER_INTID_VIRTUAL))
			wfi();
		CHECK(irq_count == i - 1, "interrupt taken while masked");
		wfi(); /* pending: does not wait */
		CHECK(SYSREG_READ(cntvct_el0) >= deadline, "guest time did not pass in WFI");
		irq_unmask();
		isb(); /* the interrupt is taken here at the latest */
		irq_mask();
		CHECK(irq_count == i, "interrupt not taken after WFI");
	}
}
