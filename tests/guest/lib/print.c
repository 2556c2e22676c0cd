/* Console output on the PL011 as it is after reset: no set-up, no FIFO, no interrupts. */
#include "tests/guest/lib/guest.h"

enum { UART_DR = 0, UART_FR = 0x18, UART_FR_TXFF = 1 << 5 };

void print(const char *text)
{
	for (; *text; text++) {
		while (mmio_read32(UART + UART_FR) & UART_FR_TXFF)
			;
		mmio_write32(UART + UART_DR, (uint8_t)*text);
	}
}

void input_ask(void)
{
	for (int i = 0; i < 4; i++) /* fewer in a row are those of one who prints (hv/core/asking.h) */
		mmio_read32(UART + UART_FR);
}

void print_hex(uint64_t value)
{
	char text[19] = "0x";
	for (int i = 0; i < 16; i++)
		text[2 + i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
	text[18] = 0;
	print(text);
}

void print_number(uint64_t value)
{
	char text[21];
	char *at = text + 20;
	*at = 0;
	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	print(at);
}

void print_value(const char *text, uint64_t value)
{
	print(text);
	print(" ");
	print_hex(value);
	print("\n");
}
