/* The PL011 as QEMU 7.2 models it, so these things differ from the manual on purpose:
 *   1. Transmission takes no time: TXFE always reads 1, and TXRIS rises at every write of UARTDR and falls only by
 *      UARTICR.
 *   2. The receive interrupt rises when the first byte enters an empty FIFO and falls when the last one leaves;
 * UARTIFLS is kept but does not matter. There is no receive timeout (RTRIS stays 0), no error, no modem line, no
 * loopback.
 *   3. UARTCR's enable bits are kept but do not matter.
 * One thing is taken from later versions of QEMU: a change of LCR_H.FEN leaves UARTFR saying that the FIFO is empty. */
#include "hv/dev/pl011.h"

enum {
	REG_DR = PL011_DR,
	REG_RSR = 0x04,
	REG_FR = PL011_FR,
	REG_ILPR = 0x20,
	REG_IBRD = 0x24,
	REG_FBRD = 0x28,
	REG_LCR_H = 0x2c,
	REG_CR = PL011_CR,
	REG_IFLS = 0x34,
	REG_IMSC = 0x38,
	REG_RIS = PL011_RIS,
	REG_MIS = PL011_MIS,
	REG_ICR = 0x44,
	REG_DMACR = 0x48,
	REG_ID_FIRST = 0xfe0, /* UARTPeriphID0 .. 3, UARTPCellID0 .. 3 */
	REG_ID_LAST = 0xffc,
};

enum { FR_RXFE = 1u << 4, FR_RXFF = 1u << 6, FR_TXFE = 1u << 7 };
enum { INT_RX = PL011_INT_RX, INT_TX = 1u << 5 };
enum { LCR_H_FEN = 1u << 4 };
enum { CR_RESET = 0x300, IFLS_RESET = 0x12 };

/* Part 0x011, designer 0x41 (Arm), revision r1p5, PrimeCell: DDI 0183, 3.3.15 to 3.3.22. */
static const uint8_t id_registers[] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static uint32_t fifo_depth(const struct pl011_state *state)
{
	return (state->lcr_h & LCR_H_FEN) != 0 ? PL011_FIFO_BYTES : 1;
}

static uint32_t take_byte(struct pl011_state *state)
{
	const uint32_t byte = state->rx[state->rx_first % PL011_FIFO_BYTES];

	if (state->rx_count > 0) {
		state->rx_count--;
		state->rx_first = (state->rx_first + 1) % PL011_FIFO_BYTES;
	}
	if (state->rx_count == 0)
		state->ris &= ~(uint32_t)INT_RX;
	/* The error bits of UARTRSR come with the byte, and no byte here has any. */
	state->rsr = 0;
	return byte;
}

static void write_lcr_h(struct pl011_state *state, uint32_t value)
{
	if (((state->lcr_h ^ value) & LCR_H_FEN) != 0) {
		state->rx_first = 0;
		state->rx_count = 0;
	}
	state->lcr_h = value;
}

void pl011_reset(struct pl011_state *state)
{
	*state = (struct pl011_state){.cr = CR_RESET, .ifls = IFLS_RESET};
}

uint64_t pl011_read(struct pl011_state *state, uint32_t offset)
{
	const uint32_t reg = offset & ~UINT32_C(3);

	if (reg >= REG_ID_FIRST && reg <= REG_ID_LAST)
		return id_registers[(reg - REG_ID_FIRST) / 4];
	switch (reg) {
	case REG_DR:
		return take_byte(state);
	case REG_RSR:
		return state->rsr;
	case REG_FR:
		return pl011_flags(state);
	case REG_ILPR:
		return state->ilpr;
	case REG_IBRD:
		return state->ibrd;
	case REG_FBRD:
		return state->fbrd;
	case REG_LCR_H:
		return state->lcr_h;
	case REG_CR:
		return state->cr;
	case REG_IFLS:
		return state->ifls;
	case REG_IMSC:
		return state->imsc;
	case REG_RIS:
		return state->ris;
	case REG_MIS:
		return state->ris & state->imsc;
	case REG_DMACR:
		return state->dmacr;
	default:
		return 0;
	}
}

void pl011_write(struct pl011_state *state, uint32_t offset, uint64_t value)
{
	const uint32_t word = (uint32_t)value;

	switch (offset & ~UINT32_C(3)) {
	case REG_DR:
		state->ris |= INT_TX;
		break;
	case REG_RSR:
		state->rsr = 0;
		break;
	case REG_ILPR:
		state->ilpr = word;
		break;
	case REG_IBRD:
		state->ibrd = word;
		break;
	case REG_FBRD:
		state->fbrd = word;
		break;
	case REG_LCR_H:
		write_lcr_h(state, word);
		break;
	case REG_CR:
		state->cr = word;
		break;
	case REG_IFLS:
		state->ifls = word;
		break;
	case REG_IMSC:
		state->imsc = word;
		break;
	case REG_ICR:
		state->ris &= ~word;
		break;
	case REG_DMACR:
		state->dmacr = word;
		break;
	default:
		break;
	}
}

uint32_t pl011_flags(const struct pl011_state *state)
{
	uint32_t fr = FR_TXFE;

	if (state->rx_count == 0)
		fr |= FR_RXFE;
	if (!pl011_can_receive(state))
		fr |= FR_RXFF;
	return fr;
}

bool pl011_can_receive(const struct pl011_state *state)
{
	return state->rx_count < fifo_depth(state);
}

void pl011_receive(struct pl011_state *state, uint8_t byte)
{
	if (!pl011_can_receive(state))
		return;
	state->rx[(state->rx_first + state->rx_count) % PL011_FIFO_BYTES] = byte;
	state->rx_count++;
	if (state->rx_count == 1)
		state->ris |= INT_RX;
}

bool pl011_line(const struct pl011_state *state)
{
	return (state->ris & state->imsc) != 0;
}
