/* A deadline in the midst of device accesses that stand side by side: under hv each of them traps, so that there is no
 * place between two of them where an interrupt could be told from one that is about to be taken. It is put off, and
 * must not be lost behind the next trap. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/timer.h"

const char guest_name[] = "timer_behind_trap";

enum { ROUND_COUNT = 1000, UART_IBRD = 0x24, DELAY_TICKS = 3 };

static volatile uint64_t irq_count;

static void take_timer(uint32_t intid)
{
	CHECK(intid == TIMER_INTID_VIRTUAL, "wrong interrupt number");
	SYSREG_WRITE(cntv_ctl_el0, 0);
	isb(); /* the line is low before the end of interrupt */
	irq_count++;
}

/* 40 stores, and 6000 instructions (6 us) in which a late interrupt comes too. */
static void store_and_wait(void)
{
	__asm__ volatile(".rept 40\n str wzr, [%0]\n .endr" ::"r"((uint64_t)UART + UART_IBRD) : "memory");
	__asm__ volatile("mov x9, #3000\n 1: subs x9, x9, #1\n b.ne 1b" ::: "x9", "cc");
}

void guest_main(void)
{
	exception_on_irq = take_timer;
	gic_init();
	gic_enable(TIMER_INTID_VIRTUAL);
	irq_unmask();
	for (uint64_t i = 1; i <= ROUND_COUNT; i++) {
		SYSREG_WRITE(cntv_cval_el0, SYSREG_READ(cntvct_el0) + DELAY_TICKS + (i & 3));
		SYSREG_WRITE(cntv_ctl_el0, TIMER_ENABLE);
		isb(); /* the timer runs before the stores */
		store_and_wait();
		CHECK(irq_count == i, "interrupt lost");
	}
}
