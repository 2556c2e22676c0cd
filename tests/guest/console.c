/* Output: short lines, a line of 2,000 characters (longer than any FIFO), bytes that are no text; and the PL011's ID.
 */
#include "tests/guest/lib/guest.h"

const char guest_name[] = "console";

enum { UART_ID = 0xfe0, UART_ID_COUNT = 8, LINE_LENGTH = 2000 };

static const uint8_t uart_id[UART_ID_COUNT] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

void guest_main(void)
{
	print("hello from EL");
	print_number(SYSREG_READ(currentel) >> 2);
	print("\n");
	for (int i = 0; i < LINE_LENGTH; i++)
		print((char[]){(char)('a' + i % 26), 0});
	print("\n\x01\x7f\t\r\n");
	for (uint64_t i = 0; i < UART_ID_COUNT; i++)
		CHECK((mmio_read32(UART + UART_ID + 4 * i) & 0xff) == uart_id[i], "no PL011 r1p4 identification");
	CHECK(SYSREG_READ(currentel) == 1 << 2, "not at EL1");
}
