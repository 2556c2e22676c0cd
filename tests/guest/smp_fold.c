/* One CPU that spins by WFE, all others off, with more interrupts pending than there are list registers, of which it
 * has ended one without a trap: the next comes in at the same place in a recording and a replay. */
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/smp.h"

const char guest_name[] = "smp_fold";

enum { SPI_FIRST = 100 };

static void busy(uint64_t context)
{
	(void)context;
	for (volatile int i = 0; i < 100000; i++)
		;
}

/* At each WFE all registers are as at the one before. */
__attribute__((noinline)) static void wait(uint64_t until)
{
	uint64_t now;
	__asm__ volatile("1: wfe\n mrs %0, cntvct_el0\n cmp %0, %1\n mov %0, #0\n b.lo 1b"
			 : "=&r"(now)
			 : "r"(until)
			 : "memory", "cc");
}

void guest_main(void)
{
	mmu_on();
	gic_init();
	smp_start(busy, 2);
	/* hv finds the loop while the other runs */
	wait(SYSREG_READ(cntvct_el0) + 300000);
	smp_wait_off(1);
	irq_mask();
	for (uint32_t i = 0; i < 6; i++) {
		gic_set_priority(SPI_FIRST + i, (uint8_t)(0x10 + 0x10 * i));
		gic_set_edge(SPI_FIRST + i, true);
		gic_enable(SPI_FIRST + i);
		gic_set_pending(SPI_FIRST + i);
	}
	uint64_t intid = SYSREG_READ(icc_iar1_el1);
	SYSREG_WRITE(icc_eoir1_el1, intid);
	wait(SYSREG_READ(cntvct_el0) + 300000);
	print_value("acknowledged", intid);
	for (uint32_t i = 0; i < 6; i++) {
		intid = SYSREG_READ(icc_iar1_el1);
		SYSREG_WRITE(icc_eoir1_el1, intid);
		print_value("acknowledged", intid);
	}
}
