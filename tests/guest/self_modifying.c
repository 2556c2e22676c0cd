/* Code that is written, made visible, run, and written again, 2,000 times, in place and across two pages. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"

const char guest_name[] = "self_modifying";

enum { ROUND_COUNT = 2000, INSTRUCTION_COUNT = 2048 };
#define MOVZ_W0(value) (0x52800000u | (value) << 5)
#define RET            0xd65f03c0u

static uint32_t code[INSTRUCTION_COUNT] __attribute__((aligned(4096)));

static uint32_t run(const uint32_t *at)
{
	register uint64_t x0 __asm__("x0");
	__asm__ volatile("blr %1" : "=r"(x0) : "r"(at) : "x30", "memory");
	return (uint32_t)x0;
}

void guest_main(void)
{
	mmu_on();
	for (uint32_t i = 0; i < ROUND_COUNT; i++) {
		uint32_t at = i & 1 ? INSTRUCTION_COUNT / 2 - 1 : i * 7 % (INSTRUCTION_COUNT - 1);
		code[at] = MOVZ_W0(i);
		code[at + 1] = RET;
		mmu_code_written((uint64_t)&code[at], 8);
		CHECK(run(&code[at]) == i, "old code ran");
	}
}
