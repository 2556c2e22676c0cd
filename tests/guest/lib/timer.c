/* Each interrupt sets the next one from the time it is handled at, so that the interrupted code always gets on. */
#include "tests/guest/lib/timer.h"
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"

volatile uint64_t timer_irq_count;
void (*timer_on_irq)(void);
static uint32_t storm_period_ticks;

static void storm_irq(uint32_t intid)
{
	CHECK(intid == TIMER_INTID_VIRTUAL, "interrupt of something else than the timer");
	timer_irq_count++;
	if (timer_on_irq)
		timer_on_irq();
	SYSREG_WRITE(cntv_tval_el0, storm_period_ticks);
	isb(); /* the line is low before the end of interrupt */
}

void timer_storm_start(uint32_t period_ticks)
{
	storm_period_ticks = period_ticks;
	timer_irq_count = 0;
	exception_on_irq = storm_irq;
	gic_init();
	gic_enable(TIMER_INTID_VIRTUAL);
	SYSREG_WRITE(cntv_tval_el0, period_ticks);
	SYSREG_WRITE(cntv_ctl_el0, TIMER_ENABLE);
	irq_unmask();
}

void timer_storm_stop(void)
{
	irq_mask();
	SYSREG_WRITE(cntv_ctl_el0, 0);
	isb();
}
