/* WFI at the end of a long block, while input arrives that raises no interrupt: what tells hv of the input often comes
 * in that block and is taken at the WFI. The timer wakes the guest each time, so it ends with or without input. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/timer.h"

const char guest_name[] = "wfi_doorbell";

enum { ROUND_COUNT = 20000, SLEEP_TICKS = 3000 }; /* 48 us, of which the guest computes 20 */

static volatile uint64_t irq_count;

static void take_timer(uint32_t intid)
{
	CHECK(intid == TIMER_INTID_VIRTUAL, "wrong interrupt number");
	SYSREG_WRITE(cntv_ctl_el0, 0);
	isb(); /* the line is low before the end of interrupt */
	irq_count++;
}

/* Blocks of about the length that QEMU translates at once (512 instructions). */
static void compute_and_sleep(void)
{
	__asm__ volatile("mov x9, #40\n"
			 "1: .rept 480\n add x10, x10, #1\n .endr\n"
			 "subs x9, x9, #1\n b.ne 1b\n"
			 ".rept 470\n add x10, x10, x11\n .endr\n"
			 "wfi" ::
				 : "x9", "x10", "cc", "memory");
}

void guest_main(void)
{
	input_ask();
	exception_on_irq = take_timer;
	gic_init();
	gic_enable(TIMER_INTID_VIRTUAL);
	for (uint64_t i = 1; i <= ROUND_COUNT; i++) {
		SYSREG_WRITE(cntv_cval_el0, SYSREG_READ(cntvct_el0) + SLEEP_TICKS);
		SYSREG_WRITE(cntv_ctl_el0, TIMER_ENABLE);
		isb(); /* the timer runs before the CPU sleeps */
		while (!gic_is_pending(TIMER_INTID_VIRTUAL))
			compute_and_sleep();
		irq_unmask();
		isb(); /* the interrupt is taken here at the latest */
		irq_mask();
		CHECK(irq_count == i, "interrupt not taken after WFI");
	}
}
