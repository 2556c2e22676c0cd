/* Input that is there before the driver is: each kind of driver gets its UART ready in its own way, and loses what came
 * before. It prints what it gets until `q`.
 *
 * Argument: the driver, one of the names below; the first without. */
#include "tests/guest/lib/dtb.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "input_late";

enum {
	UART_DR = 0,
	UART_FR = 0x18,
	UART_LCR_H = 0x2c,
	UART_CR = 0x30,
	UART_IMSC = 0x38,
	UART_MIS = 0x40,
	UART_ICR = 0x44
};
enum { FR_RXFE = 1 << 4, INT_RX = 1 << 4, INT_RT = 1 << 6, INT_ALL = 0x7ff, LCR_H_FIFO = 0x70 };
enum { CR_OFF = 0, CR_SENDS = 0x101, CR_RESET = 0x300, CR_ON = 0x301, LINES = 20 };

static void uart_set(uint32_t offset, uint32_t value)
{
	mmio_write32(UART + offset, value);
}

static bool uart_empty(void)
{
	return mmio_read32(UART + UART_FR) & FR_RXFE;
}

/* Never touches anything but the flags and the data. */
static void wait_plain(void)
{
	while (uart_empty())
		;
}

static void wait_interrupt(void)
{
	while (!(mmio_read32(UART + UART_MIS) & INT_RX))
		;
}

/* LK: sends early, and throws pending interrupts away before it unmasks and switches the receiver on. */
static void start_lk(void)
{
	uart_set(UART_CR, CR_SENDS);
	print("early output\n");
	uart_set(UART_ICR, INT_ALL);
	uart_set(UART_IMSC, INT_RX);
	uart_set(UART_CR, CR_ON);
}

/* U-Boot: switching the FIFO on empties it. */
static void start_fifo(void)
{
	uart_set(UART_CR, CR_OFF);
	uart_set(UART_LCR_H, LCR_H_FIFO);
	uart_set(UART_CR, CR_ON);
	print("a banner\n");
}

/* NuttX: the same, and interrupts last. */
static void start_fifo_interrupt(void)
{
	start_fifo();
	uart_set(UART_ICR, INT_ALL);
	uart_set(UART_IMSC, INT_RX | INT_RT);
}

/* Linux: a console that is switched on for each line only, long before the driver, which empties the FIFO. */
static void start_linux(void)
{
	for (int i = 0; i < LINES; i++) {
		uart_set(UART_CR, CR_ON);
		print("console line\n");
		mmio_read32(UART + UART_FR); /* has it gone? */
		uart_set(UART_CR, CR_RESET);
	}
	uart_set(UART_LCR_H, LCR_H_FIFO);
	uart_set(UART_CR, CR_ON);
	uart_set(UART_ICR, INT_ALL);
	while (!uart_empty())
		mmio_read32(UART + UART_DR);
	uart_set(UART_IMSC, INT_RX | INT_RT);
}

static const struct driver {
	const char *name;
	void (*start)(void);
	void (*wait)(void);
} drivers[] = {
	{"plain", 0, wait_plain},
	{"lk", start_lk, wait_interrupt},
	{"fifo", start_fifo, wait_plain},
	{"fifo_interrupt", start_fifo_interrupt, wait_interrupt},
	{"linux", start_linux, wait_interrupt},
};

static bool equal(const char *a, const char *b)
{
	for (; *a && *a == *b; a++)
		b++;
	return *a == *b;
}

static const struct driver *driver_find(void)
{
	uint32_t bytes;
	const char *name = (const char *)dtb_property("chosen", "bootargs", &bytes);
	for (unsigned i = 0; name && i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		if (equal(name, drivers[i].name))
			return &drivers[i];
	}
	return &drivers[0];
}

void guest_main(void)
{
	const struct driver *driver = driver_find();
	char text[2] = {0};
	if (driver->start)
		driver->start();
	print("input_late: type, q ends\n> ");
	while (text[0] != 'q') {
		driver->wait();
		text[0] = (char)mmio_read32(UART + UART_DR);
		print(text);
		if (text[0] == '\n')
			print("> ");
	}
	print("\n");
}
