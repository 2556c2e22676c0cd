/* A watchpoint of the guest's own that EL1 has masked, and an unaligned load from the bytes that it watches: tests/gdb
 * watches one of them that the load leaves out. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"

const char guest_name[] = "debug_masked";

enum { MDSCR_MDE = 1 << 15, WCR_ALL = 0xff << 5 | 3 << 3 | 3 << 1 | 1 };

uint8_t area[16] __attribute__((aligned(16))) = {0, 1, 2, 3, 4, 5, 6, 7};

void guest_main(void)
{
	uint32_t loaded;
	mmu_on();
	SYSREG_WRITE(dbgwvr0_el1, (uint64_t)area);
	SYSREG_WRITE(dbgwcr0_el1, WCR_ALL);
	SYSREG_WRITE(mdscr_el1, MDSCR_MDE);
	isb(); /* it is watched */
	__asm__ volatile("ldur	%w0, [%1, #1]" : "=r"(loaded) : "r"(area) : "memory");
	CHECK(loaded == 0x04030201, "the load went wrong");
	__asm__ volatile("strb	wzr, [%0, #6]" ::"r"(area) : "memory");
	CHECK(area[6] == 0, "the store went wrong");
}
