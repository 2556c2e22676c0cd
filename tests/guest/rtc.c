/* The PL031: identifies itself, gives a time of this century, and moves with the guest's own clock. */
#include "tests/guest/lib/guest.h"

const char guest_name[] = "rtc";

enum { RTC_DR = 0x000, RTC_ID = 0xfe0, RTC_ID_COUNT = 8, YEAR_2020_S = 1577836800 };

static const uint8_t rtc_id[RTC_ID_COUNT] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

void guest_main(void)
{
	for (uint64_t i = 0; i < RTC_ID_COUNT; i++)
		CHECK((mmio_read32(RTC + RTC_ID + 4 * i) & 0xff) == rtc_id[i], "no PL031 identification");
	uint32_t before = mmio_read32(RTC + RTC_DR);
	CHECK(before >= YEAR_2020_S, "a time before 2020");
	uint64_t frequency = SYSREG_READ(cntfrq_el0), start = SYSREG_READ(cntvct_el0);
	while (SYSREG_READ(cntvct_el0) - start < frequency + frequency / 10)
		isb(); /* the counter is read anew */
	uint32_t passed = mmio_read32(RTC + RTC_DR) - before;
	CHECK(passed >= 1 && passed <= 3, "1.1 seconds of the counter are not 1 to 3 of the clock");
}
