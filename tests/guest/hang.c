/* Never ends: branches to itself with interrupts masked. For tests of limits and time-outs. */
#include "tests/guest/lib/guest.h"

const char guest_name[] = "hang";

void guest_main(void)
{
	print("hang: spinning\n");
	__asm__ volatile("msr daifset, #15\n b ." ::: "memory");
}
