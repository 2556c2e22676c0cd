/* Input: bytes come by the PL011's receive interrupt and are echoed, until `q`. The FIFOs stay off, as after reset. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "echo";

enum { UART_DR = 0x00, UART_FR = 0x18, UART_FR_RXFE = 1 << 4, UART_CR = 0x30, UART_IMSC = 0x38, UART_ICR = 0x44 };
enum { UART_CR_ON = 0x301, UART_INT_RX = 1 << 4, UART_INTID = 33 };

static volatile bool quit;
static volatile uint64_t received;

static void take_bytes(uint32_t intid)
{
	CHECK(intid == UART_INTID, "interrupt of something else than the UART");
	mmio_write32(UART + UART_ICR, UART_INT_RX);
	while (!(mmio_read32(UART + UART_FR) & UART_FR_RXFE)) {
		char text[] = {(char)mmio_read32(UART + UART_DR), 0};
		print(text);
		received++;
		quit = quit || text[0] == 'q';
	}
}

void guest_main(void)
{
	print("echo: type, q ends\n");
	exception_on_irq = take_bytes;
	gic_init();
	gic_enable(UART_INTID);
	mmio_write32(UART + UART_CR, UART_CR_ON);
	mmio_write32(UART + UART_IMSC, UART_INT_RX);
	while (!quit) {
		wfi();
		irq_unmask();
		irq_mask();
	}
	print("\necho: bytes ");
	print_number(received);
	print("\n");
}
