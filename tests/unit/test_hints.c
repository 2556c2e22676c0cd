/* What is said about a guest that ended badly. */
#include "recorder/absent.h"
#include "recorder/hints.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(hints, .timeout = 30);

#define ESR_READ  UINT64_C(0x96000010)
#define ESR_WRITE UINT64_C(0x96000050)
#define ESR_FETCH UINT64_C(0x86000010)

static struct hv_mailbox mailbox;
static uint8_t ram[64];
static struct machine machine = {.mailbox = &mailbox, .guest_ram = ram, .guest_ram_bytes = sizeof(ram)};

static const char *said(const struct hints *hints)
{
	static struct error error;
	error = (struct error){STATUS_UNSUPPORTED, "it ended"};
	hints_add(hints, &machine, &error);
	return error.text;
}

static struct event abort_at(uint64_t n, uint64_t ipa, uint64_t esr)
{
	return (struct event){.n = n, .address = ipa, .value = esr, .kind = EVENT_EXTERNAL_ABORT};
}

Test(hints, nothing_seen_nothing_said)
{
	const struct event other = {.kind = EVENT_MMIO_WRITE, .address = 0x08010000};
	struct hints hints = {0};
	hints_see(&hints, &other, 1);
	mailbox.final_state.vcpu[0].esr_el1 = ESR_READ;
	cr_expect_str_eq(said(&hints), "it ended");
}

Test(hints, the_first_abort_is_named)
{
	const struct event events[] = {abort_at(5, 0x09020008, ESR_READ), abort_at(6, 0x09030000, ESR_WRITE)};
	struct hints hints = {0};
	mailbox.final_state.vcpu[0].esr_el1 = ESR_READ;
	hints_see(&hints, events, 2);
	cr_expect_str_eq(said(&hints),
			 "it ended; at instruction 5 it read 0x9020008, where QEMU's virt board has fw_cfg");
	hints = (struct hints){.first = abort_at(7, 0x0b000000, ESR_WRITE)};
	cr_expect(strstr(said(&hints), "wrote to 0xb000000, where QEMU's virt board has nothing either"), "%s",
		  said(&hints));
}

Test(hints, a_gicv2_tells_more_than_what_came_before)
{
	const struct event events[] = {abort_at(5, 0x09020008, ESR_READ), abort_at(6, 0x08010004, ESR_WRITE),
				       abort_at(7, 0x08010000, ESR_WRITE)};
	struct hints hints = {0};
	hints_see(&hints, events, 3);
	cr_expect_eq(hints.first.n, 6);
	cr_expect(strstr(said(&hints), "GICv2"), "%s", said(&hints));
}

Test(hints, semihosting_is_seen_at_the_last_exception)
{
	const uint32_t hlt = 0xd45e0000;
	struct hints hints = {0};
	memcpy(ram + sizeof(ram) - 4, &hlt, 4);
	mailbox.final_state.vcpu[0].esr_el1 = 0x02000000;
	mailbox.final_state.vcpu[0].elr_el1 = GUEST_RAM_IPA + sizeof(ram) - 4;
	cr_expect(strstr(said(&hints), "no semihosting"), "%s", said(&hints));
	mailbox.final_state.vcpu[0].elr_el1 -= 4;
	cr_expect_str_eq(said(&hints), "it ended");
	for (uint64_t at = sizeof(ram) - 3; at < sizeof(ram) + 8; at++) { /* no word of RAM */
		mailbox.final_state.vcpu[0].elr_el1 = GUEST_RAM_IPA + at;
		cr_expect_str_eq(said(&hints), "it ended");
	}
}

/* Without vectors the call is followed by a fetch from where none are, which hides it. */
Test(hints, semihosting_is_seen_in_the_program)
{
	const uint32_t program[] = {0xd503201f, 0xd45e0000};
	struct hints hints = {
		.program = program, .program_bytes = sizeof(program), .first = abort_at(5, 0x200, ESR_FETCH)};
	mailbox.final_state.vcpu[0].esr_el1 = ESR_FETCH;
	cr_expect(strstr(said(&hints), "ran code at 0x200, where QEMU's virt board has CFI flash"), "%s", said(&hints));
	cr_expect(strstr(said(&hints), "no semihosting"), "%s", said(&hints));
	hints.program_bytes = 4;
	cr_expect_not(strstr(said(&hints), "no semihosting"), "%s", said(&hints));
}

Test(hints, devices_end_where_they_end)
{
	cr_expect_str_eq(absent_device(0x09020017), "fw_cfg");
	cr_expect_null(absent_device(0x09020018));
	cr_expect_null(absent_device(0x0b000000));
	cr_expect_null(absent_device(GUEST_UART_IPA));
	cr_expect_str_eq(absent_device(0x401fffffff), "PCI configuration space");
}
