/* The physical timer: its interrupt comes after its deadline and never before, masked or disabled it does not come, and
 * the line stays up until the timer is moved. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/timer.h"

const char guest_name[] = "timer_physical";

enum { DELAY_TICKS = 20000, MASKED_TICKS = 30000, ROUND_COUNT = 20 };

static volatile uint64_t irq_count, taken_at;

static void take_timer(uint32_t intid)
{
	CHECK(intid == TIMER_INTID_PHYSICAL, "wrong interrupt number");
	taken_at = SYSREG_READ(cntpct_el0);
	CHECK(SYSREG_READ(cntp_ctl_el0) == (TIMER_ENABLE | TIMER_ISTATUS), "no ISTATUS in the interrupt");
	CHECK(gic_is_pending(intid), "line dropped before the timer was moved");
	SYSREG_WRITE(cntp_ctl_el0, 0);
	isb(); /* the line is low before the end of interrupt */
	irq_count++;
}

static void wait_until(uint64_t deadline)
{
	while (SYSREG_READ(cntpct_el0) < deadline)
		isb(); /* the counter is read anew */
}

/* ISTATUS follows the deadline, on QEMU as late as its main loop does. A replay must print the same number of polls. */
static void expire_masked(void)
{
	uint64_t polls = 0, deadline = SYSREG_READ(cntpct_el0) + MASKED_TICKS;
	SYSREG_WRITE(cntp_cval_el0, deadline);
	SYSREG_WRITE(cntp_ctl_el0, TIMER_ENABLE | TIMER_IMASK);
	while (!(SYSREG_READ(cntp_ctl_el0) & TIMER_ISTATUS))
		polls++;
	CHECK(SYSREG_READ(cntpct_el0) >= deadline, "ISTATUS before the deadline");
	print_value("polls", polls);
}

void guest_main(void)
{
	exception_on_irq = take_timer;
	gic_init();
	gic_enable(TIMER_INTID_PHYSICAL);
	irq_unmask();
	CHECK(SYSREG_READ(cntfrq_el0) == 62500000, "CNTFRQ_EL0 is not 62.5 MHz");
	for (uint64_t i = 1; i <= ROUND_COUNT; i++) {
		uint64_t deadline = SYSREG_READ(cntpct_el0) + DELAY_TICKS;
		SYSREG_WRITE(cntp_cval_el0, deadline);
		SYSREG_WRITE(cntp_ctl_el0, TIMER_ENABLE);
		while (irq_count < i)
			;
		CHECK(irq_count == i && taken_at >= deadline, "interrupt before its deadline");
	}
	expire_masked();
	CHECK((int32_t)SYSREG_READ(cntp_tval_el0) <= 0, "TVAL positive after the deadline");
	SYSREG_WRITE(cntp_ctl_el0, 0);
	CHECK(irq_count == ROUND_COUNT, "interrupt while masked");
	SYSREG_WRITE(cntp_tval_el0, -1);
	isb(); /* the deadline is in the past before the timer is enabled */
	SYSREG_WRITE(cntp_ctl_el0, TIMER_ENABLE);
	wait_until(SYSREG_READ(cntpct_el0) + DELAY_TICKS);
	CHECK(irq_count == ROUND_COUNT + 1, "no interrupt for a deadline in the past");
}
