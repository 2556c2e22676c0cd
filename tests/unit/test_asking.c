/* When a guest that is recorded gets console input: not before its driver is there, and always then. Each test is a
 * process of its own, and finds what was seen of the guest fresh. */
#include "hv/core/asking.h"
#include "hv/dev/pl011.h"

#include <criterion/criterion.h>

TestSuite(asking, .timeout = 30);

enum { CR_ON = 0x301, CR_SEND_ONLY = 0x101, IMSC = 0x38, IMSC_TX = 1 << 5, PERIPH_ID = 0xfe0 };

static struct pl011_state uart;
static uint64_t now_ns;

static void look(uint64_t reg)
{
	const struct event event = {.kind = EVENT_MMIO_READ, .address = GUEST_UART_IPA + reg, .size = 4};
	asking_see(&event, (ns_t){now_ns});
}

static void set(uint64_t reg, uint64_t value)
{
	const struct event event = {
		.kind = EVENT_MMIO_WRITE, .address = GUEST_UART_IPA + reg, .value = value, .size = 4};
	asking_see(&event, (ns_t){now_ns});
	pl011_write(&uart, (uint32_t)reg, value);
}

/* As drivers do it: looks at whether there is room before each byte, and whether it has gone behind it. */
static void print(const char *text)
{
	for (; *text; text++) {
		look(PL011_FR);
		set(PL011_DR, (uint8_t)*text);
		look(PL011_FR);
	}
}

static void poll(int times)
{
	for (int i = 0; i < times; i++)
		look(PL011_FR);
}

static void start(void)
{
	pl011_reset(&uart);
}

/* Linux: a console that prints, switching the UART on and off for each line, before the driver is there. */
Test(asking, a_guest_that_only_prints_does_not_ask, .init = start)
{
	print("Booting Linux");
	cr_expect_not(asking(&uart));
	for (int line = 0; line < 1000; line++) {
		look(PL011_CR);
		set(PL011_CR, CR_ON);
		print("a line");
		look(PL011_FR);
		set(PL011_CR, 0x300);
		now_ns += 10000000;
		cr_assert_not(asking(&uart), "line %d", line);
	}
	for (uint64_t reg = PERIPH_ID; reg < 0x1000; reg += 4)
		look(reg);
	cr_expect_not(asking(&uart));
	set(IMSC, IMSC_TX);
	cr_expect_not(asking(&uart));
	asking_idle(&uart);
	cr_expect_not(asking(&uart));
}

Test(asking, the_receive_interrupt_asks_when_the_receiver_is_on_too, .init = start)
{
	set(PL011_CR, CR_SEND_ONLY);
	set(IMSC, PL011_INT_RX);
	cr_expect_not(asking(&uart));
	set(PL011_CR, CR_ON);
	cr_expect(asking(&uart));
	set(IMSC, 0);
	cr_expect_not(asking(&uart));
	set(IMSC, PL011_INT_RT);
	cr_expect(asking(&uart));
}

Test(asking, a_guest_that_never_writes_cr_asks_by_its_receive_interrupt, .init = start)
{
	set(IMSC, PL011_INT_RX);
	cr_expect(asking(&uart));
}

Test(asking, polling_asks_whatever_register_tells_it_of_bytes, .init = start)
{
	look(PL011_FR);
	look(PL011_MIS);
	look(PL011_RIS);
	cr_expect_not(asking(&uart));
	look(PL011_DR);
	cr_expect(asking(&uart));
	print("it goes on asking while it prints");
	cr_expect(asking(&uart));
}

Test(asking, a_guest_that_has_its_receiver_off_asks_by_much_polling, .init = start)
{
	set(PL011_CR, CR_SEND_ONLY);
	poll(ASKING_LOOKS_OFF - 1);
	cr_expect_not(asking(&uart));
	poll(1);
	cr_expect(asking(&uart));
}

Test(asking, a_guest_that_waits_with_its_receiver_off_asks, .init = start)
{
	set(PL011_CR, CR_SEND_ONLY);
	set(IMSC, PL011_INT_RX);
	asking_idle(&uart);
	cr_expect(asking(&uart));
}

/* It looks once after each dot that it prints, which printing alone might do too. */
Test(asking, a_receiver_that_is_on_for_a_second_is_there_to_receive, .init = start)
{
	set(PL011_CR, CR_ON);
	now_ns += ASKING_ON_NS - 1;
	print(".");
	cr_expect_not(asking(&uart));
	set(PL011_CR, CR_ON);
	now_ns += 1;
	cr_expect_not(asking(&uart));
	print(".");
	cr_expect(asking(&uart));
}

Test(asking, switching_off_takes_it_back, .init = start)
{
	set(PL011_CR, CR_ON);
	poll(ASKING_LOOKS);
	cr_expect(asking(&uart));
	set(PL011_CR, 0);
	cr_expect_not(asking(&uart));
	set(PL011_CR, CR_ON);
	cr_expect_not(asking(&uart));
	poll(ASKING_LOOKS);
	cr_expect(asking(&uart));
}

Test(asking, other_devices_do_not_matter, .init = start)
{
	const struct event rtc = {.kind = EVENT_MMIO_READ, .address = GUEST_RTC_IPA + PL011_FR, .size = 4};
	const struct event below = {.kind = EVENT_MMIO_READ, .address = PL011_FR, .size = 4};
	const struct event exit = {.kind = EVENT_EXIT, .address = GUEST_UART_IPA + PL011_FR};
	for (int i = 0; i < 1000; i++) {
		asking_see(&rtc, (ns_t){0});
		asking_see(&below, (ns_t){0});
		asking_see(&exit, (ns_t){0});
	}
	cr_expect_not(asking(&uart));
}
