/* A function that is called two thousand times (tests/bench/hits.py counts on it): for breakpoints whose condition is
 * mostly false, and for many stops. */
#include "tests/guest/lib/guest.h"

enum { CALLS = 2000, TURNS = 400 };

const char guest_name[] = "hot";

static uint64_t sum;

static __attribute__((noinline)) uint64_t step(uint64_t i)
{
	uint64_t result = i;
	for (int turn = 0; turn < TURNS; turn++)
		result = result * 3 + 1;
	__asm__ volatile("" ::: "memory");
	return result;
}

void guest_main(void)
{
	for (uint64_t i = 0; i < CALLS; i++)
		sum += step(i);
}
