/* Direct reads of CNTVCT, hashed, with branches that depend on them, while timer interrupts come at a high rate. The
 * hash differs from run to run on a machine with real time; a replay must print the hash of its recording. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/timer.h"

const char guest_name[] = "cntvct_hash";

enum { READ_COUNT = 400000, PERIOD_TICKS = 700 };

static uint64_t hash_reads(uint64_t count)
{
	uint64_t hash = 0, value, low;
	__asm__ volatile("1: mrs %2, cntvct_el0\n"
			 "eor %0, %0, %2\n"
			 "ror %0, %0, #7\n"
			 "and %3, %2, #3\n"
			 "cbz %3, 2f\n"
			 "nop\n nop\n nop\n"
			 "2: subs %1, %1, #1\n"
			 "b.ne 1b"
			 : "+r"(hash), "+r"(count), "=&r"(value), "=&r"(low)
			 :
			 : "cc", "memory");
	return hash;
}

void guest_main(void)
{
	timer_storm_start(PERIOD_TICKS);
	uint64_t hash = hash_reads(READ_COUNT);
	timer_storm_stop();
	CHECK(timer_irq_count > 0, "no interrupt came");
	print_value("hash", hash);
	print_value("interrupts", timer_irq_count);
}
