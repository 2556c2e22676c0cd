/* Never ends: WFI with no interrupt that could ever wake it. For tests of hang detection. */
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "wfi_forever";

void guest_main(void)
{
	gic_init();
	irq_unmask();
	print("wfi_forever: sleeping\n");
	for (;;)
		wfi();
}
