/* Looks at the UART's flags again and again, as a driver does that waits: the most common exit there is
 * (tests/replay/test_exits.py counts what it costs). */
#include "tests/guest/lib/guest.h"

const char guest_name[] = "polls";

enum { POLLS = 20000, UART_FLAGS = 0x18 };

void guest_main(void)
{
	for (int poll = 0; poll < POLLS; poll++)
		mmio_read32(UART + UART_FLAGS);
}
