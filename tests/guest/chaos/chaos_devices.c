/* The UART, the real-time clock, and device accesses by every form of load and store. */
#include "tests/guest/chaos/chaos.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"

enum { UART_DR = 0, UART_FR = 0x18, UART_LCR_H = 0x2c, UART_IFLS = 0x34, UART_IMSC = 0x38, UART_ICR = 0x44 };
enum { RTC_DR = 0, RTC_MR = 4, RTC_LR = 8, RTC_IMSC = 0x10, RTC_RIS = 0x14, RTC_MIS = 0x18, RTC_ICR = 0x1c };
enum { FORM_COUNT = 16 };
#define PRIORITIES ((uint64_t)GICD + GICD_IPRIORITYR + 128)
#define UART_ID    ((uint64_t)UART + 0xfe0)

void chaos_uart(void)
{
	switch (chaos_pick(7)) {
	case 0:
		mmio_write32(UART + UART_IMSC, (uint32_t)chaos_pick(0x800));
		break;
	case 1:
		mmio_write32(UART + UART_LCR_H, (uint32_t)chaos_pick(2) << 4);
		break;
	case 2:
		mmio_write32(UART + UART_DR, (uint32_t)('a' + chaos_pick(26)));
		break;
	case 3:
		mmio_write32(UART + UART_ICR, (uint32_t)chaos_pick(0x800));
		break;
	case 4:
		mmio_write32(UART + UART_IFLS, (uint32_t)chaos_pick(64));
		break;
	default:
		mmio_write32(UART + UART_IMSC, 1 << 4);
		break;
	}
	for (uint64_t count = chaos_pick(8); count != 0; count--) {
		chaos_see(mmio_read32(UART + UART_FR));
		chaos_see(mmio_read32(UART + UART_DR));
		chaos_see(mmio_read32(UART + 0x3c));
		chaos_spin(chaos_pick(100));
	}
}

/* The clock is set before it is read, so that it does not tell the day of the recording. */
void chaos_rtc(void)
{
	uint32_t now = (uint32_t)chaos_pick(1000);
	mmio_write32(RTC + RTC_LR, now);
	chaos_see(mmio_read32(RTC + RTC_DR));
	if (chaos_pick(2) == 0) {
		mmio_write32(RTC + RTC_IMSC, (uint32_t)chaos_pick(2));
		mmio_write32(RTC + RTC_MR, now + (uint32_t)chaos_pick(3));
	}
	chaos_see(mmio_read32(RTC + RTC_MIS));
	chaos_see(mmio_read32(RTC + RTC_RIS));
	mmio_write32(RTC + RTC_ICR, (uint32_t)chaos_pick(2));
	chaos_see(mmio_read32(RTC + RTC_DR));
}

/* One access; its value, the base behind it and the SIMD registers are seen. */
#define FORM(number, instruction)                                                                                      \
	case number:                                                                                                   \
		__asm__ volatile(".arch_extension simd\n" instruction                                                  \
				 : "+r"(value), "+r"(base)                                                             \
				 : "r"(UINT64_C(4))                                                                    \
				 : "memory", "x9", "x10");                                                             \
		break

static void form(uint64_t number)
{
	uint64_t base = PRIORITIES, value = chaos_pick(0x100) * UINT64_C(0x0101010101010101);
	switch (number) {
		FORM(0, "str %w0, [%1], #4");
		FORM(1, "str %w0, [%1, #-4]!\n ldr %w0, [%1]");
		FORM(2, "stp %w0, wzr, [%1, #8]!");
		FORM(3, "ldp %w0, w9, [%1], #8\n add %0, %0, x9");
		FORM(4, "strb %w0, [%1], #1");
		FORM(5, "ldrsb %0, [%1, #3]!");
		FORM(6, "ldpsw %0, x9, [%1]\n eor %0, %0, x9");
		FORM(7, "stlr %w0, [%1]\n ldar %w0, [%1]");
		FORM(8, "str %w0, [%1, %2, lsl #2]");
		FORM(9, "ldrsw %0, [%1], #4");
		FORM(10, "str s3, [%1], #4");
		FORM(11, "ldr s4, [%1, #4]!\n fmov %w0, s4");
		FORM(12, "ldp s5, s6, [%1]\n fmov w9, s6\n fmov %w0, s5\n add %0, %0, x9");
		FORM(13, "ldtr %w0, [%1]");
		FORM(14, "mov x9, sp\n mov sp, %1\n ldr %w0, [sp], #16\n mov %1, sp\n mov sp, x9");
	default:
		value = mmio_read8(UART_ID + chaos_pick(8) * 4);
		break;
	}
	chaos_see(value);
	chaos_see(base);
}

void chaos_forms(void)
{
	chaos_sync_begin(); /* LDTR may not */
	for (uint64_t count = 1 + chaos_pick(5); count != 0; count--) {
		uint64_t number = chaos_pick(FORM_COUNT);
		if (number == 14)
			irq_mask(); /* the stack is elsewhere */
		form(number);
		if (number == 14)
			irq_unmask();
	}
	chaos_sync_end();
}
