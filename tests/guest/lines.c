/* For stepping line by line: a timer interrupts it all the time, and there is a system call on the way. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/timer.h"

const char guest_name[] = "lines";

enum { PERIOD_TICKS = 100, SHORT = 10, LOOPS = 1000, LONG = 20000 };

uint64_t sum, calls;

static bool on_call(struct exception_frame *frame, uint64_t esr, uint64_t far)
{
	(void)frame;
	(void)far;
	calls++;
	return ESR_EC(esr) == EC_SVC;
}

static uint64_t work(uint64_t count)
{
	uint64_t result = 0;
	for (uint64_t i = 0; i < count; i++)
		result += i * i;
	return result;
}

void guest_main(void)
{
	exception_on_sync = on_call;
	timer_storm_start(PERIOD_TICKS);
	uint64_t a = work(SHORT);
	for (uint64_t i = 0; i < LOOPS; i++)
		sum += i;
	sum += a;
	a = work(LONG);
	__asm__ volatile("svc #1" ::: "memory");
	sum += a;
	timer_storm_stop();
	CHECK(sum == 2666467169785 && calls == 1 && timer_irq_count > 20, "the work was disturbed");
}
