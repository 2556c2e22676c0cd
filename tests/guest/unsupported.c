/* One interrupt, then a load-exclusive from a device, which hv does not emulate: a recording ends there and replays to
 * the same state, with what the interrupt left in the interrupt controller. QEMU's own board just answers. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/timer.h"

const char guest_name[] = "unsupported";

enum { DELAY_TICKS = 100 };

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
	uint32_t value;
	exception_on_irq = take_timer;
	gic_init();
	gic_enable(TIMER_INTID_VIRTUAL);
	print("unsupported: LDXR\n");
	SYSREG_WRITE(cntv_cval_el0, SYSREG_READ(cntvct_el0) + DELAY_TICKS);
	SYSREG_WRITE(cntv_ctl_el0, TIMER_ENABLE);
	irq_unmask();
	while (irq_count == 0)
		;
	__asm__ volatile("ldxr %w0, [%1]" : "=r"(value) : "r"((uint64_t)UART) : "memory");
}
