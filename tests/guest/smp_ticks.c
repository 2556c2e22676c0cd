/* One CPU waits by WFE for its own timer, whose interrupts it ends without a trap, while all others sleep. hv has
 * replaced that WFE while another was busy: what it does there must not depend on what it knows of the ended
 * interrupts. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/smp.h"

const char guest_name[] = "smp_ticks";

static volatile uint64_t ticks;

static void busy(uint64_t context)
{
	(void)context;
	for (volatile int i = 0; i < 100000; i++)
		;
	for (;;)
		wfi();
}

static void tick(uint32_t intid)
{
	(void)intid;
	SYSREG_WRITE(cntv_cval_el0, SYSREG_READ(cntv_cval_el0) + 20000);
	isb();
	ticks++;
}

void guest_main(void)
{
	mmu_on();
	gic_init();
	smp_start(busy, 2);
	exception_on_irq = tick;
	gic_enable(27);
	SYSREG_WRITE(cntv_cval_el0, SYSREG_READ(cntvct_el0) + 20000);
	SYSREG_WRITE(cntv_ctl_el0, 1);
	irq_unmask();
	while (ticks < 20)
		__asm__ volatile("wfe" ::: "memory");
	irq_mask();
}
