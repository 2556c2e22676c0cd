/* Watchpoints of the guest's own, and unaligned loads near a byte that tests/gdb watches but that they leave out: one
 * that EL1 has masked, which the load is of; and one that it has not, which it is not of. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"

const char guest_name[] = "debug_masked";

enum { MDSCR_KDE = 1 << 13, MDSCR_MDE = 1 << 15 };
enum { WCR_ALL = 0xff << 5 | 3 << 3 | 3 << 1 | 1, WCR_LOW_WORD = 0xf << 5 | 3 << 3 | 3 << 1 | 1 };

uint8_t area[32] __attribute__((aligned(32))) = {0, 1, 2, 3, 4, 5, 6, 7};

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

	SYSREG_WRITE(dbgwvr0_el1, (uint64_t)area + 8);
	SYSREG_WRITE(dbgwcr0_el1, WCR_LOW_WORD);
	SYSREG_WRITE(oslar_el1, 0);
	SYSREG_WRITE(mdscr_el1, MDSCR_MDE | MDSCR_KDE);
	__asm__ volatile("msr daifclr, #8; isb" ::: "memory"); /* now it is not masked */
	__asm__ volatile("ldurh	%w0, [%1, #15]" : "=r"(loaded) : "r"(area) : "memory");
	__asm__ volatile("strb	wzr, [%0, #14]" ::"r"(area) : "memory");
}
