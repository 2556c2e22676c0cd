/* Every kind of event as a line, and the names in it: known ones, unknown ones, and rooms that are too small. */
#include "hv/abi/machine.h"
#include "hv/core/sysreg.h"
#include "hv/host/virtio_list.h"
#include "replay/trace/event_text.h"
#include "replay/trace/event_text_names.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(event_text);

static void expect_meaning(const struct event *event, const char *expected)
{
	char text[EVENT_TEXT_BYTES];
	event_text_meaning(event, NULL, text, sizeof(text));
	cr_expect_str_eq(text, expected);
}

Test(event_text, every_kind_has_its_meaning)
{
	static const struct {
		struct event event;
		const char *text;
	} cases[] = {
		{{.kind = EVENT_MMIO_READ, .address = GUEST_UART_IPA + 0x18, .value = 0x90, .size = 4},
		 "MMIO_READ uart UARTFR -> 0x90, 4 bytes"},
		{{.kind = EVENT_MMIO_WRITE, .address = GUEST_UART_IPA, .value = 'H', .size = 1},
		 "MMIO_WRITE uart UARTDR <- 0x48 'H', 1 byte"},
		{{.kind = EVENT_MMIO_WRITE, .address = GUEST_UART_IPA, .value = '\n', .size = 1},
		 "MMIO_WRITE uart UARTDR <- 0xa '\\n', 1 byte"},
		{{.kind = EVENT_MMIO_WRITE, .address = GUEST_UART_IPA, .value = 0x1b, .size = 2},
		 "MMIO_WRITE uart UARTDR <- 0x1b, 2 bytes"},
		{{.kind = EVENT_EXTERNAL_ABORT, .address = 0xb000000, .value = 0x96000050},
		 "EXTERNAL_ABORT write to 0xb000000, esr 0x96000050"},
		{{.kind = EVENT_EXTERNAL_ABORT, .address = 0xb000000, .value = 0x96000010},
		 "EXTERNAL_ABORT read of 0xb000000, esr 0x96000010"},
		{{.kind = EVENT_EXTERNAL_ABORT, .address = 0x1000, .value = 0x86000010},
		 "EXTERNAL_ABORT fetch from flash +0x1000, esr 0x86000010"},
		{{.kind = EVENT_EXTERNAL_ABORT, .address = 0xb000008, .value = 0x960000d0},
		 "EXTERNAL_ABORT table walk at 0xb000008 for a write, esr 0x960000d0"},
		{{.kind = EVENT_EXTERNAL_ABORT, .address = 0xb000008, .value = 0x96000090},
		 "EXTERNAL_ABORT table walk at 0xb000008 for a read, esr 0x96000090"},
		{{.kind = EVENT_EXTERNAL_ABORT, .address = 0xb000008, .value = 0x82000085},
		 "EXTERNAL_ABORT table walk at 0xb000008 for a fetch, esr 0x82000085"},
		{{.kind = EVENT_SYSREG_READ, .address = SYSREG_KEY(3, 3, 14, 0, 1), .value = 7},
		 "SYSREG_READ CNTPCT_EL0 -> 0x7"},
		{{.kind = EVENT_SYSREG_WRITE, .address = SYSREG_KEY(2, 0, 0, 2, 2), .value = 0x1000},
		 "SYSREG_WRITE MDSCR_EL1 <- 0x1000"},
		{{.kind = EVENT_SYSREG_DENIED, .address = SYSREG_KEY(3, 0, 1, 0, 1), .value = 1},
		 "SYSREG_DENIED read of S3_0_C1_C0_1"},
		{{.kind = EVENT_SYSREG_DENIED, .address = 0x0c000000}, "SYSREG_DENIED write of AArch32, esr 0xc000000"},
		{{.kind = EVENT_SMCCC_CALL, .address = 0x84000000, .value = 0x10001},
		 "SMCCC_CALL PSCI_VERSION = 0x10001"},
		{{.kind = EVENT_SMCCC_CALL, .address = 0xc4000003, .value = UINT64_MAX - 3},
		 "SMCCC_CALL PSCI_CPU_ON = ALREADY_ON"},
		{{.kind = EVENT_SMCCC_CALL, .address = 0x80000000, .value = UINT64_MAX},
		 "SMCCC_CALL SMCCC_VERSION = NOT_SUPPORTED"},
		{{.kind = EVENT_SMCCC_CALL, .address = 0x12345, .value = UINT64_MAX - 99},
		 "SMCCC_CALL function 0x12345 = 0xffffffffffffff9c"},
		{{.kind = EVENT_DEBUG_EXCEPTION, .address = 0xf2000800}, "DEBUG_EXCEPTION BRK #0x800, esr 0xf2000800"},
		{{.kind = EVENT_DEBUG_EXCEPTION, .address = 0xc2000022}, "DEBUG_EXCEPTION breakpoint, esr 0xc2000022"},
		{{.kind = EVENT_DEBUG_EXCEPTION, .address = 0xca000022},
		 "DEBUG_EXCEPTION software step, esr 0xca000022"},
		{{.kind = EVENT_DEBUG_EXCEPTION, .address = 0xd2000022, .value = 0x4008},
		 "DEBUG_EXCEPTION watchpoint, esr 0xd2000022, far 0x4008"},
		{{.kind = EVENT_EXIT, .address = EXIT_REASON_VTIMER, .value = 0xabc},
		 "EXIT virtual timer, check 00000abc"},
		{{.kind = EVENT_EXIT, .address = 77}, "EXIT reason 77, check 00000000"},
		{{.kind = EVENT_IDLE, .address = 1500000000, .value = 4000001},
		 "IDLE for 0.004000001 s, next deadline at 1.500000000 s"},
		{{.kind = EVENT_IDLE, .address = UINT64_MAX, .value = 1}, "IDLE for 0.000000001 s, nothing due"},
		{{.kind = EVENT_INPUT, .address = GUEST_UART_IPA, .value = 'x'}, "INPUT uart UARTDR 0x78 'x'"},
		{{.kind = EVENT_SWITCH, .vcpu = 2, .address = 7, .value = SWITCH_REASON_SLICE},
		 "SWITCH to vCPU 7 from vCPU 2: slice is over"},
		{{.kind = EVENT_SWITCH, .address = 1, .value = SWITCH_REASON_WAITS},
		 "SWITCH to vCPU 1 from vCPU 0: waits for an interrupt"},
		{{.kind = EVENT_SWITCH, .address = 1, .value = 99}, "SWITCH to vCPU 1 from vCPU 0: reason 99"},
		{{.kind = EVENT_INJECT, .address = GUEST_INTID_VTIMER, .value = 0xa0},
		 "INJECT 27 (virtual timer), priority 0xa0"},
		{{.kind = EVENT_END, .address = END_REASON_POWER_OFF, .value = 0x12345678},
		 "END power off, check 12345678"},
		{{.kind = EVENT_END, .address = 9}, "END reason 9, check 00000000"},
		{{.kind = EVENT_DISK_READ, .address = UINT64_C(3) << 56 | 88, .value = UINT64_C(512) << 32 | 0xabc},
		 "DISK_READ virtio3, sector 88, 512 bytes, check 00000abc"},
		{{.kind = EVENT_PACKET_OUT, .address = UINT64_MAX, .value = UINT64_C(60) << 32},
		 "PACKET_OUT virtio18446744073709551615, 60 bytes, check 00000000"},
		{{.kind = 0}, "nothing"},
		{{.kind = 999, .address = 1, .value = 2}, "kind 999 address 0x1 value 0x2"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_meaning(&cases[i].event, cases[i].text);
}

Test(event_text, disks_are_called_by_their_names)
{
	static const struct {
		struct event event;
		const char *text;
	} cases[] = {
		{{.kind = EVENT_DISK_WRITE, .address = UINT64_C(3) << 56 | 8, .value = UINT64_C(4096) << 32 | 1},
		 "DISK_WRITE root, sector 8, 4096 bytes, check 00000001"},
		{{.kind = EVENT_DISK_ZERO, .address = UINT64_C(3) << 56, .value = 1024},
		 "DISK_ZERO root, sector 0, 1024 bytes"},
		{{.kind = EVENT_DISK_ERROR, .address = UINT64_C(4) << 56, .value = 8},
		 "DISK_ERROR virtio4, sector 0, request of type 8"},
		{{.kind = EVENT_PACKET_IN, .address = 4, .value = UINT64_C(60) << 32},
		 "PACKET_IN virtio4, 60 bytes, check 00000000"},
		{{.kind = EVENT_DISK_READ, .address = UINT64_C(255) << 56}, "DISK_READ virtio255"},
		{{.kind = EVENT_DISK_FLUSH, .address = UINT64_C(3) << 56}, "DISK_FLUSH root"},
	};
	struct virtio_list devices;
	struct error error = {0};
	char text[EVENT_TEXT_BYTES];
	cr_assert(virtio_list_parse("3 disk 64 rw root \n4 net 52:54:00:00:00:01\n", &devices, &error));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		event_text_meaning(&cases[i].event, &devices, text, sizeof(text));
		cr_expect_str_eq(text, cases[i].text);
	}
}

/* A kind that is added to event.def reads in words by what its fields are. */
Test(event_text, no_kind_is_left_out)
{
	for (uint16_t kind = 1; kind <= EVENT_KIND_MAX; kind++) {
		struct event event = {.kind = kind, .address = 1, .value = 2};
		char text[EVENT_TEXT_BYTES];
		cr_assert(event_text_kind(kind));
		event_text_meaning(&event, NULL, text, sizeof(text));
		cr_expect(strncmp(text, event_text_kind(kind), strlen(event_text_kind(kind))) == 0, "%s", text);
		cr_expect_not(strstr(text, " address 0x1 value 0x2"), "%s", text);
	}
	cr_expect_null(event_text_kind(0));
	cr_expect_null(event_text_kind(EVENT_KIND_MAX + 1));
}

Test(event_text, a_line_has_position_pc_and_vcpu)
{
	struct event event = {.n = 1566, .pc = 0x40dd2840, .kind = EVENT_INJECT, .address = 3, .vcpu = 2};
	char text[EVENT_TEXT_BYTES];
	event_text_line(&event, NULL, text, sizeof(text));
	cr_expect_str_eq(text, "        1566  0000000040dd2840  2  INJECT 3 (SGI), priority 0");
}

Test(event_text, a_small_room_cuts_the_text)
{
	struct event event = {.n = UINT64_MAX, .pc = UINT64_MAX, .address = UINT64_MAX, .value = UINT64_MAX};
	char whole[EVENT_TEXT_BYTES], cut[EVENT_TEXT_BYTES + 1];
	for (uint16_t kind = 0; kind <= EVENT_KIND_MAX + 1; kind++) {
		event.kind = kind;
		event_text_line(&event, NULL, whole, sizeof(whole));
		cr_expect_lt(strlen(whole), EVENT_TEXT_BYTES - 1);
		for (size_t bytes = 1; bytes < EVENT_TEXT_BYTES; bytes++) {
			memset(cut, '#', sizeof(cut));
			event_text_line(&event, NULL, cut, bytes);
			cr_assert_eq(strnlen(cut, bytes), strlen(whole) < bytes ? strlen(whole) : bytes - 1);
			cr_assert_eq(strncmp(cut, whole, strlen(cut)), 0);
			for (size_t i = bytes; i < sizeof(cut); i++)
				cr_assert_eq(cut[i], '#');
		}
	}
}

static void expect_address(uint64_t ipa, const char *expected)
{
	char text[64];
	event_text_address(ipa, text, sizeof(text));
	cr_expect_str_eq(text, expected);
}

Test(event_text, addresses_have_devices_and_registers)
{
	expect_address(GUEST_UART_IPA + 0xfe4, "uart UARTPeriphID1");
	expect_address(GUEST_UART_IPA + 0x01, "uart UARTDR+1");
	expect_address(GUEST_UART_IPA + 0x700, "uart +0x700");
	expect_address(GUEST_RTC_IPA, "rtc RTCDR");
	expect_address(GUEST_GICD_IPA, "gicd GICD_CTLR");
	expect_address(GUEST_GICD_IPA + 0x104, "gicd GICD_ISENABLER1");
	expect_address(GUEST_GICD_IPA + 0x421, "gicd GICD_IPRIORITYR8+1");
	expect_address(GUEST_GICD_IPA + 0x6000 + 8 * 33, "gicd GICD_IROUTER33");
	expect_address(GUEST_GICD_IPA + 0xffe8, "gicd GICD_PIDR2");
	expect_address(GUEST_GICD_IPA + 0xffd0, "gicd GICD_PIDR4");
	expect_address(GUEST_GICR_IPA + 0x14, "gicr0 GICR_WAKER");
	expect_address(GUEST_GICR_IPA + 0x100, "gicr0 +0x100");
	expect_address(GUEST_GICR_IPA + GUEST_GICR_BYTES_PER_VCPU + 0x10100, "gicr1 GICR_ISENABLER0");
	expect_address(GUEST_GICR_IPA + GUEST_GICR_BYTES_PER_VCPU + 0xffe8, "gicr1 GICR_PIDR2");
	expect_address(GUEST_VIRTIO_IPA + 31 * GUEST_VIRTIO_BYTES + 8, "virtio31 DeviceID");
	expect_address(GUEST_VIRTIO_IPA + 32 * GUEST_VIRTIO_BYTES, "0xa004000");
	expect_address(GUEST_GICD_IPA - 1, "flash +0x7ffffff");
	expect_address(UINT64_MAX, "0xffffffffffffffff");
}

Test(event_text, devices_by_name)
{
	static const char *const bad[] = {"",
					  "UART",
					  "uart2",
					  "uartx",
					  "virtio32",
					  "virtio-1",
					  "virtio3x",
					  "gicr8",
					  "virtio+1",
					  "gic",
					  "virtio18446744073709551616"};
	uint64_t first = 1, last = 2;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(event_text_device(bad[i], &first, &last), "%s", bad[i]);
	cr_expect(first == 1 && last == 2);
	cr_assert(event_text_device("uart", &first, &last));
	cr_expect(first == GUEST_UART_IPA && last == GUEST_UART_IPA + GUEST_UART_BYTES - 1);
	cr_assert(event_text_device("virtio", &first, &last));
	cr_expect(first == GUEST_VIRTIO_IPA && last == GUEST_VIRTIO_IPA + 32 * GUEST_VIRTIO_BYTES - 1);
	cr_assert(event_text_device("virtio3", &first, &last));
	cr_expect(first == GUEST_VIRTIO_IPA + 3 * GUEST_VIRTIO_BYTES && last == first + GUEST_VIRTIO_BYTES - 1);
}

Test(event_text, system_registers_by_encoding)
{
	static const struct {
		uint32_t key;
		const char *name;
	} cases[] = {
#define SYSREG(name, op0, op1, crn, crm, op2, read, write) {SYSREG_KEY(op0, op1, crn, crm, op2), #name},
#include "hv/abi/sysreg.def"
#undef SYSREG
		{SYSREG_KEY(2, 0, 0, 0, 4), "DBGBVR0_EL1"},      {SYSREG_KEY(2, 0, 0, 15, 7), "DBGWCR15_EL1"},
		{SYSREG_KEY(3, 3, 14, 8, 0), "PMEVCNTR0_EL0"},   {SYSREG_KEY(3, 3, 14, 11, 6), "PMEVCNTR30_EL0"},
		{SYSREG_KEY(3, 3, 14, 13, 1), "PMEVTYPER9_EL0"}, {SYSREG_KEY(3, 7, 15, 15, 7), "S3_7_C15_C15_7"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];
		event_text_sysreg(cases[i].key, text, sizeof(text));
		cr_expect_str_eq(text, cases[i].name);
	}
}

Test(event_text, interrupts_by_number)
{
	static const struct {
		uint64_t intid;
		const char *name;
	} cases[] = {{0, "0 (SGI)"},
		     {15, "15 (SGI)"},
		     {16, "16 (PPI)"},
		     {GUEST_INTID_PTIMER, "30 (physical timer)"},
		     {31, "31 (PPI)"},
		     {32, "32 (SPI)"},
		     {GUEST_INTID_UART, "33 (uart)"},
		     {GUEST_INTID_RTC, "34 (rtc)"},
		     {47, "47 (SPI)"},
		     {48, "48 (virtio0)"},
		     {79, "79 (virtio31)"},
		     {80, "80 (SPI)"},
		     {UINT64_MAX, "18446744073709551615 (SPI)"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];
		event_text_interrupt(cases[i].intid, text, sizeof(text));
		cr_expect_str_eq(text, cases[i].name);
	}
}

Test(event_text, the_parts_of_a_meaning)
{
	static const struct {
		struct event event;
		const char *name, *details;
	} cases[] = {
		{{.kind = EVENT_MMIO_READ, .address = GUEST_UART_IPA + 0x18, .value = 0x90, .size = 4},
		 "uart UARTFR",
		 "uart UARTFR -> 0x90, 4 bytes"},
		{{.kind = EVENT_INPUT, .address = GUEST_UART_IPA, .value = 'x'}, "uart UARTDR", "uart UARTDR 0x78 'x'"},
		{{.kind = EVENT_MMIO_READ, .address = 0x30000123, .size = 4}, "0x30000123", "0x30000123 -> 0, 4 bytes"},
		{{.kind = EVENT_SYSREG_READ, .address = SYSREG_KEY(3, 3, 14, 0, 1), .value = 7},
		 "CNTPCT_EL0",
		 "CNTPCT_EL0 -> 0x7"},
		{{.kind = EVENT_SMCCC_CALL, .address = 0x84000000}, "PSCI_VERSION", "PSCI_VERSION = 0"},
		{{.kind = EVENT_INJECT, .address = 27, .value = 0xa0},
		 "27 (virtual timer)",
		 "27 (virtual timer), priority 0xa0"},
		{{.kind = EVENT_EXIT, .address = EXIT_REASON_VTIMER, .value = 1},
		 "virtual timer",
		 "virtual timer, check 00000001"},
		{{.kind = EVENT_EXIT, .address = 99}, "", "reason 99, check 00000000"},
		{{.kind = EVENT_END, .address = END_REASON_POWER_OFF}, "power off", "power off, check 00000000"},
		{{.kind = EVENT_IDLE, .address = UINT64_MAX, .value = 1}, "", "for 0.000000001 s, nothing due"},
		{{.kind = EVENT_DISK_ZERO, .address = UINT64_C(1) << 56 | 5, .value = 512},
		 "virtio1",
		 "virtio1, sector 5, 512 bytes"},
		{{.kind = 0, .value = 1}, "", ""},
		{{.kind = 999, .value = 1}, "", "address 0 value 0x1"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[EVENT_TEXT_BYTES];
		cr_expect_eq(event_text_name(&cases[i].event, NULL, text, sizeof(text)), cases[i].name[0] != 0,
			     "case %zu", i);
		cr_expect_str_eq(text, cases[i].name);
		event_text_details(&cases[i].event, NULL, text, sizeof(text));
		cr_expect_str_eq(text, cases[i].details);
		event_text_details(&cases[i].event, NULL, text, 3);
		cr_expect_leq(strlen(text), 2);
	}
}
