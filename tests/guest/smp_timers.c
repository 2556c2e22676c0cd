/* Each CPU has its own virtual and its own physical timer, with periods of their own: every one comes as often as it
 * should, on its CPU; whether all sleep in WFI, or some spin and some sleep; and all CPUs see one clock that never goes
 * back. The order in which they came is printed as a hash.
 *
 * Argument: COUNT, decimal: how many interrupts of each timer in each part. */
#include "tests/guest/lib/arguments.h"
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/timer.h"

const char guest_name[] = "smp_timers";

enum { COUNT_DEFAULT = 20, PART_COUNT = 4 };
#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

struct clocks {
	volatile uint64_t virtual_count, physical_count;
	uint64_t virtual_due, physical_due;
};

static struct clocks clocks[SMP_MAX];
static uint64_t hash, now_last, count, spins[SMP_MAX];
static uint32_t cpu_count;
static struct smp_lock lock; /* taken in handlers only */
static struct smp_barrier all;

static uint64_t virtual_period(uint32_t cpu)
{
	return 3000 + 700 * cpu;
}

static uint64_t physical_period(uint32_t cpu)
{
	return 5100 + 900 * cpu;
}

static void seen(uint32_t cpu, uint32_t intid)
{
	smp_lock(&lock);
	isb(); /* the counter is read after the lock is held */
	uint64_t now = SYSREG_READ(cntvct_el0);
	CHECK(now >= now_last, "the clock went back");
	now_last = now;
	hash = (hash ^ (intid * SMP_MAX + cpu)) * HASH_FACTOR;
	hash ^= hash >> 29;
	smp_unlock(&lock);
}

static void take(uint32_t intid)
{
	uint32_t self = smp_self();
	struct clocks *mine = &clocks[self];
	seen(self, intid);
	if (intid == TIMER_INTID_VIRTUAL) {
		CHECK(SYSREG_READ(cntvct_el0) >= mine->virtual_due, "virtual timer before its time");
		mine->virtual_due += virtual_period(self);
		SYSREG_WRITE(cntv_cval_el0, mine->virtual_due);
		if (++mine->virtual_count == count)
			SYSREG_WRITE(cntv_ctl_el0, 0);
	} else {
		CHECK(intid == TIMER_INTID_PHYSICAL, "interrupt of something else than a timer");
		CHECK(SYSREG_READ(cntpct_el0) >= mine->physical_due, "physical timer before its time");
		mine->physical_due += physical_period(self);
		SYSREG_WRITE(cntp_cval_el0, mine->physical_due);
		if (++mine->physical_count == count)
			SYSREG_WRITE(cntp_ctl_el0, 0);
	}
	isb(); /* the line is low before the end of interrupt */
}

static void clocks_start(uint32_t self)
{
	struct clocks *mine = &clocks[self];
	mine->virtual_count = mine->physical_count = 0;
	isb(); /* now */
	mine->virtual_due = SYSREG_READ(cntvct_el0) + virtual_period(self);
	mine->physical_due = SYSREG_READ(cntpct_el0) + physical_period(self);
	SYSREG_WRITE(cntv_cval_el0, mine->virtual_due);
	SYSREG_WRITE(cntp_cval_el0, mine->physical_due);
	SYSREG_WRITE(cntv_ctl_el0, TIMER_ENABLE);
	SYSREG_WRITE(cntp_ctl_el0, TIMER_ENABLE);
	isb(); /* in force */
}

static bool is_done(const struct clocks *mine)
{
	return mine->virtual_count == count && mine->physical_count == count;
}

static void sleep_until_done(const struct clocks *mine)
{
	irq_mask();
	while (!is_done(mine)) {
		wfi();
		irq_unmask();
		irq_mask();
	}
}

static void spin_until_done(uint32_t self, const struct clocks *mine)
{
	irq_unmask();
	while (!is_done(mine))
		spins[self]++;
	irq_mask();
}

/* Part 0: all sleep. 1: the even ones. 2: the odd ones. 3: none. */
static void run(uint64_t self)
{
	struct clocks *mine = &clocks[self];
	for (uint32_t part = 0; part < PART_COUNT; part++) {
		smp_barrier(&all, cpu_count, SMP_SPIN_WFE);
		clocks_start((uint32_t)self);
		if (part == 0 || (part < 3 && self % 2 == part - 1))
			sleep_until_done(mine);
		else
			spin_until_done((uint32_t)self, mine);
		smp_barrier(&all, cpu_count, SMP_SPIN_YIELD);
		if (self == 0)
			print_value("order", hash);
	}
}

static void join(void)
{
	gic_join();
	gic_enable(TIMER_INTID_VIRTUAL);
	gic_enable(TIMER_INTID_PHYSICAL);
}

static void another(uint64_t self)
{
	join();
	run(self);
}

void guest_main(void)
{
	count = argument_number(0, COUNT_DEFAULT);
	mmu_on();
	exception_on_irq = take;
	gic_init();
	join();
	cpu_count = smp_count();
	smp_start(another, 2);
	run(0);
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
		smp_print("cpu ", cpu, "interrupts", clocks[cpu].virtual_count + clocks[cpu].physical_count);
}
