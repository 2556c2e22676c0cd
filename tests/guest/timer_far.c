/* The virtual timer far from now and close to it: a deadline out of reach never comes, one that has passed is due at
 * once, TVAL is CVAL seen from now, and behind idle time the interrupt comes when it is due. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/timer.h"

const char guest_name[] = "timer_far";

enum { WAIT_TICKS = 20000, SLEEP_TICKS = 1250000, NEAR_TICKS = 1000, IDLE_ROUNDS = 3 };
#define LATE_TICKS UINT64_C(62500000) /* a second: an interrupt that takes longer is lost */

static volatile uint64_t irq_count, taken_at;

static void take_timer(uint32_t intid)
{
	CHECK(intid == TIMER_INTID_VIRTUAL, "wrong interrupt number");
	taken_at = SYSREG_READ(cntvct_el0);
	SYSREG_WRITE(cntv_ctl_el0, 0);
	isb(); /* the line is low before the end of interrupt */
	irq_count++;
}

static void timer_set(uint64_t cval)
{
	SYSREG_WRITE(cntv_cval_el0, cval);
	SYSREG_WRITE(cntv_ctl_el0, TIMER_ENABLE);
	isb(); /* it runs from here on */
}

/* Whether there are more than `count` before so many ticks have passed. */
static bool irq_within(uint64_t ticks, uint64_t count)
{
	uint64_t start = SYSREG_READ(cntvct_el0);
	while (irq_count == count && SYSREG_READ(cntvct_el0) - start < ticks)
		isb(); /* the counter is read anew */
	return irq_count != count;
}

/* Exits of the guest in between are looks at a device. */
static void never_due(uint64_t cval)
{
	timer_set(cval);
	for (int i = 0; i < 4; i++) {
		CHECK(!irq_within(WAIT_TICKS, irq_count), "an interrupt of a timer out of reach");
		CHECK(SYSREG_READ(cntv_ctl_el0) == TIMER_ENABLE, "ISTATUS of a timer out of reach");
		CHECK(SYSREG_READ(cntv_cval_el0) == cval, "CVAL is not what was written");
		CHECK(!gic_is_pending(TIMER_INTID_VIRTUAL), "pending");
	}
	uint64_t before = SYSREG_READ(cntvct_el0), tval = SYSREG_READ(cntv_tval_el0), after = SYSREG_READ(cntvct_el0);
	CHECK((uint32_t)(cval - before - tval) <= (uint32_t)(after - before), "TVAL is not CVAL - CNTVCT");
	SYSREG_WRITE(cntv_ctl_el0, 0);
}

static void due_at_once(uint64_t cval)
{
	uint64_t count = irq_count;
	irq_mask();
	timer_set(cval);
	CHECK(SYSREG_READ(cntv_ctl_el0) == (TIMER_ENABLE | TIMER_ISTATUS), "no ISTATUS of a deadline in the past");
	irq_unmask();
	CHECK(irq_within(LATE_TICKS, count), "no interrupt of a deadline in the past");
	CHECK(SYSREG_READ(cntv_ctl_el0) == 0, "the handler did not run");
}

static void tval_reaches(int32_t tval)
{
	SYSREG_WRITE(cntv_ctl_el0, TIMER_IMASK);
	uint64_t before = SYSREG_READ(cntvct_el0);
	SYSREG_WRITE(cntv_tval_el0, (uint64_t)(uint32_t)tval);
	uint64_t after = SYSREG_READ(cntvct_el0), cval = SYSREG_READ(cntv_cval_el0);
	CHECK(cval - (uint64_t)(int64_t)tval - before <= after - before, "CVAL is not CNTVCT + TVAL");
}

/* Prints how late the interrupts came, in ticks. */
static void after_idle(void)
{
	uint64_t worst = 0;
	for (int i = 0; i < IDLE_ROUNDS; i++) {
		irq_mask();
		timer_set(SYSREG_READ(cntvct_el0) + SLEEP_TICKS);
		while (!gic_is_pending(TIMER_INTID_VIRTUAL))
			wfi();
		irq_unmask();
		uint64_t count = irq_count, deadline = SYSREG_READ(cntvct_el0) + NEAR_TICKS;
		timer_set(deadline);
		CHECK(irq_within(LATE_TICKS, count), "an interrupt behind idle time was lost");
		CHECK(taken_at >= deadline, "an interrupt behind idle time came early");
		worst = taken_at - deadline > worst ? taken_at - deadline : worst;
	}
	print_value("late", worst);
}

void guest_main(void)
{
	static const uint64_t far[] = {
		UINT64_MAX,       UINT64_MAX - 1,    UINT64_MAX - 1000, UINT64_C(1) << 63,
		UINT64_MAX >> 1,  UINT64_C(1) << 60, UINT64_C(1) << 59, UINT64_MAX - (UINT64_MAX >> 8),
		UINT64_C(3) << 62};
	exception_on_irq = take_timer;
	gic_init();
	gic_enable(TIMER_INTID_VIRTUAL);
	irq_unmask();
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
			never_due(far[i]);
		CHECK(irq_count == (round == 0 ? 0 : 3 + 2 * IDLE_ROUNDS), "interrupts that nobody asked for");
		due_at_once(0);
		due_at_once(SYSREG_READ(cntvct_el0) - 1);
		due_at_once(SYSREG_READ(cntvct_el0));
		tval_reaches(INT32_MAX);
		tval_reaches(-1);
		tval_reaches(INT32_MIN);
		tval_reaches(0);
		after_idle();
	}
}
