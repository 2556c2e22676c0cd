/* What the guest has done with its UART so far, as far as it shows whether the guest wants input. */
#include "hv/core/asking.h"
#include "hv/arch/hot.h"
#include "hv/dev/pl011.h"

static struct {
	bool cr_written, off; /* off: the guest has written UARTCR, and not to receive */
	bool asked;           /* by polling or waiting, since the receiver was switched on */
	uint32_t looks;       /* in a row */
	uint64_t on_ns;       /* since when the guest's UARTCR receives */
} seen;

static bool receives(uint64_t cr)
{
	return (cr & PL011_CR_RXE) != 0 && (cr & PL011_CR_UARTEN) != 0;
}

static void see_read(uint64_t reg, uint64_t now_ns)
{
	if (reg != PL011_FR && reg != PL011_DR && reg != PL011_RIS && reg != PL011_MIS)
		return;
	seen.looks++;
	bool long_on = seen.cr_written && !seen.off && now_ns - seen.on_ns >= ASKING_ON_NS;
	if (long_on || seen.looks >= (seen.off ? ASKING_LOOKS_OFF : ASKING_LOOKS))
		seen.asked = true;
}

static void see_control(uint64_t cr, uint64_t now_ns)
{
	bool was_on = seen.cr_written && !seen.off;
	seen.cr_written = true;
	seen.off = !receives(cr);
	seen.looks = 0;
	if (seen.off)
		seen.asked = false;
	else if (!was_on)
		seen.on_ns = now_ns;
}

static HV_APART void see(uint16_t kind, uint64_t address, uint64_t value, ns_t now)
{
	uint64_t offset = address - GUEST_UART_IPA;
	if (offset >= GUEST_UART_BYTES)
		return;
	uint64_t reg = offset & ~UINT64_C(3);
	if (kind == EVENT_MMIO_READ)
		see_read(reg, now.v);
	else if (kind == EVENT_MMIO_WRITE && reg == PL011_DR)
		seen.looks = 0;
	else if (kind == EVENT_MMIO_WRITE && reg == PL011_CR)
		see_control(value, now.v);
}

/* One who asks does so until the receiver is switched off, and then looks count from 0. */
void asking_see(const struct event *event, ns_t now)
{
	if (event->kind != EVENT_MMIO_READ || !seen.asked)
		see(event->kind, event->address, event->value, now);
}

static bool unmasked(const struct pl011_state *uart)
{
	return (uart->imsc & (PL011_INT_RX | PL011_INT_RT)) != 0;
}

void asking_idle(const struct pl011_state *uart)
{
	if (unmasked(uart))
		seen.asked = true;
}

bool asking(const struct pl011_state *uart)
{
	return seen.asked || (unmasked(uart) && !seen.off);
}
