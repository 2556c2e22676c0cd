/* A YIELD within an exclusive sequence, while another CPU is busy: if it trapped, the store would fail for ever. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/smp.h"

const char guest_name[] = "smp_sequence";

static volatile uint64_t sum;
static volatile uint64_t done;

static void busy(uint64_t context)
{
	(void)context;
	while (!done)
		__asm__ volatile("yield"); /* plain QEMU gives it a long turn otherwise, at each YIELD of the first */
}

static void add(void)
{
	uint64_t value;
	uint32_t failed;
	__asm__ volatile("1: ldxr %0, [%2]\n add %0, %0, #1\n yield\n stxr %w1, %0, [%2]\n cbnz %w1, 1b"
			 : "=&r"(value), "=&r"(failed)
			 : "r"(&sum)
			 : "memory");
}

void guest_main(void)
{
	mmu_on();
	smp_start(busy, 2);
	for (int i = 0; i < 20000; i++)
		add();
	done = 1;
	CHECK(sum == 20000, "lost");
}
