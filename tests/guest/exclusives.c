/* A sum kept by LDXR/STXR, by CAS and by LDADD is exact while timer interrupts add to it too. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/timer.h"

const char guest_name[] = "exclusives";

enum { TURN_COUNT = 200000, IRQ_COUNT = 20, PERIOD_TICKS = 500 };

static volatile uint64_t sum;

static void add_exclusive(void)
{
	uint64_t value;
	uint32_t failed;
	__asm__ volatile("1: ldxr %0, [%2]\n add %0, %0, #1\n stxr %w1, %0, [%2]\n cbnz %w1, 1b"
			 : "=&r"(value), "=&r"(failed)
			 : "r"(&sum)
			 : "memory");
}

static void add_swap(void)
{
	uint64_t old, seen;
	do {
		old = seen = sum;
		__asm__ volatile(".arch_extension lse\n cas %0, %1, [%2]"
				 : "+r"(seen)
				 : "r"(old + 1), "r"(&sum)
				 : "memory");
	} while (seen != old);
}

static void add_atomic(void)
{
	uint64_t old;
	__asm__ volatile(".arch_extension lse\n ldadd %1, %0, [%2]"
			 : "=r"(old)
			 : "r"(UINT64_C(1)), "r"(&sum)
			 : "memory");
}

static void try_form(void (*add)(void), const char *why)
{
	sum = 0;
	timer_storm_start(PERIOD_TICKS);
	uint64_t turn;
	for (turn = 0; turn < TURN_COUNT || timer_irq_count < IRQ_COUNT; turn++)
		add();
	timer_storm_stop();
	CHECK(sum == turn + timer_irq_count, why);
}

void guest_main(void)
{
	mmu_on(); /* exclusives are defined on normal memory only */
	timer_on_irq = add_exclusive;
	try_form(add_exclusive, "LDXR/STXR: wrong sum");
	try_form(add_swap, "CAS: wrong sum");
	try_form(add_atomic, "LDADD: wrong sum");
}
