/* A line every few hundred thousand instructions, so that the console tells how far a run had come: 20 of them, or with
 * the argument "forever" until somebody ends it. */
#include "tests/guest/lib/dtb.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "ticks";

enum { TICKS = 20, LOOPS = 200000 };

void guest_main(void)
{
	uint32_t bytes;
	const uint8_t *text = dtb_property("chosen", "bootargs", &bytes);
	bool forever = text && text[0] == 'f';
	for (uint64_t tick = 0; forever || tick < TICKS; tick++) {
		print("tick ");
		print_number(tick);
		print("\n");
		for (uint64_t i = 0; i < LOOPS; i++)
			__asm__ volatile("" ::: "memory");
	}
}
