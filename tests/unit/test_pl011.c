/* The PL011 as a guest sees it. Register values, flags and interrupts are what QEMU 7.2's virt board shows for the same
 * accesses, except that UARTFR is right after LCR_H.FEN changes (see pl011.c). */
#include "hv/dev/pl011.h"
#include <criterion/criterion.h>
#include <string.h>

enum {
	DR = 0x00,
	RSR = 0x04,
	FR = 0x18,
	ILPR = 0x20,
	IBRD = 0x24,
	FBRD = 0x28,
	LCR_H = 0x2c,
	CR = 0x30,
	IFLS = 0x34,
	IMSC = 0x38,
	RIS = 0x3c,
	MIS = 0x40,
	ICR = 0x44,
	DMACR = 0x48,
};

enum { RXIS = 0x10, TXIS = 0x20, RTIS = 0x40 };
enum { FR_EMPTY = 0x90, FR_SOME = 0x80, FR_FULL = 0xc0 };
enum { FEN = 0x10 };

static struct pl011_state fresh(void)
{
	struct pl011_state state;

	memset(&state, 0xa5, sizeof state);
	pl011_reset(&state);
	return state;
}

static struct pl011_state with_fifo(void)
{
	struct pl011_state state = fresh();

	pl011_write(&state, LCR_H, FEN);
	return state;
}

Test(pl011, reset_values)
{
	struct pl011_state state = fresh();

	for (uint32_t offset = 0; offset < 0xfe0; offset += 4) {
		const uint64_t expected = offset == FR ? FR_EMPTY : offset == CR ? 0x300 : offset == IFLS ? 0x12 : 0;

		cr_expect_eq(pl011_read(&state, offset), expected, "offset %#x", offset);
	}
	cr_assert_not(pl011_line(&state));
}

Test(pl011, identification_registers)
{
	static const uint8_t expected[] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
	struct pl011_state state = fresh();

	for (uint32_t i = 0; i < 8; i++)
		cr_expect_eq(pl011_read(&state, 0xfe0 + 4 * i), expected[i]);
	cr_assert_eq(pl011_read(&state, 0xfff), 0xb1);
	cr_assert_eq(pl011_read(&state, 0x1000), 0);
	cr_assert_eq(pl011_read(&state, UINT32_MAX), 0);
}

Test(pl011, plain_registers_keep_32_bits_and_no_others_change)
{
	static const uint32_t plain[] = {ILPR, IBRD, FBRD, LCR_H, CR, IFLS, IMSC, DMACR};

	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
		struct pl011_state state = fresh();

		pl011_write(&state, plain[i], UINT64_C(0xffffffffffffffff));
		cr_expect_eq(pl011_read(&state, plain[i]), 0xffffffff, "offset %#x", plain[i]);
		for (size_t k = 0; k < sizeof plain / sizeof plain[0]; k++) {
			const uint64_t before = plain[k] == CR ? 0x300 : plain[k] == IFLS ? 0x12 : 0;

			if (k != i)
				cr_expect_eq(pl011_read(&state, plain[k]), before, "%#x, %#x", plain[i], plain[k]);
		}
	}
}

Test(pl011, writes_to_read_only_and_absent_registers_change_nothing)
{
	for (uint32_t offset = 0; offset < 0x1100; offset += 4) {
		const struct pl011_state before = fresh();
		struct pl011_state state = before;
		const bool is_writable = offset == DR || (offset >= ILPR && offset <= IMSC) || offset == DMACR;

		pl011_write(&state, offset, UINT32_MAX);
		cr_expect_eq(memcmp(&state, &before, sizeof state) != 0, is_writable, "offset %#x", offset);
	}
}

Test(pl011, transmitting_takes_no_time_and_raises_the_interrupt_each_time)
{
	struct pl011_state state = fresh();

	pl011_write(&state, IMSC, TXIS);
	cr_assert_not(pl011_line(&state), "nothing was sent yet");
	for (int i = 0; i < 40; i++) {
		pl011_write(&state, DR, 'x');
		cr_assert_eq(pl011_read(&state, FR), FR_EMPTY);
		cr_assert_eq(pl011_read(&state, MIS), TXIS);
		cr_assert(pl011_line(&state));
		pl011_write(&state, ICR, TXIS);
		cr_assert_not(pl011_line(&state));
	}
}

Test(pl011, transmits_while_disabled)
{
	struct pl011_state state = fresh();

	pl011_write(&state, CR, 0);
	pl011_write(&state, DR, 'x');
	cr_assert_eq(pl011_read(&state, RIS), TXIS);
}

Test(pl011, has_no_loopback)
{
	struct pl011_state state = fresh();

	pl011_write(&state, CR, 0x3f80);
	pl011_write(&state, DR, 'x');
	cr_assert_eq(pl011_read(&state, FR), FR_EMPTY);
	cr_assert_eq(pl011_read(&state, RIS), TXIS);
}

Test(pl011, masked_interrupts_do_not_reach_the_line)
{
	struct pl011_state state = fresh();

	pl011_write(&state, DR, 'x');
	pl011_receive(&state, 'y');
	cr_assert_eq(pl011_read(&state, RIS), RXIS | TXIS);
	cr_assert_eq(pl011_read(&state, MIS), 0);
	cr_assert_not(pl011_line(&state));
	pl011_write(&state, IMSC, RXIS | RTIS);
	cr_assert_eq(pl011_read(&state, MIS), RXIS);
	cr_assert(pl011_line(&state));
	pl011_write(&state, IMSC, 0);
	cr_assert_not(pl011_line(&state));
}

Test(pl011, one_byte_fits_without_the_fifo)
{
	struct pl011_state state = fresh();

	cr_assert(pl011_can_receive(&state));
	pl011_receive(&state, 'a');
	cr_assert_not(pl011_can_receive(&state));
	cr_assert_eq(pl011_read(&state, FR), FR_FULL);
	cr_assert_eq(pl011_read(&state, RIS), RXIS);
	cr_assert_eq(pl011_read(&state, DR), 'a');
	cr_assert_eq(pl011_read(&state, FR), FR_EMPTY);
	cr_assert_eq(pl011_read(&state, RIS), 0);
}

Test(pl011, fifo_holds_sixteen_bytes_in_order)
{
	struct pl011_state state = with_fifo();

	for (uint8_t round = 0; round < 5; round++) {
		for (uint8_t i = 0; i < 16; i++) {
			cr_assert(pl011_can_receive(&state));
			pl011_receive(&state, (uint8_t)(16 * round + i));
			cr_assert_eq(pl011_read(&state, FR), i == 15 ? FR_FULL : FR_SOME);
		}
		cr_assert_not(pl011_can_receive(&state));
		for (uint8_t i = 0; i < 16; i++) {
			cr_assert_eq(pl011_read(&state, RIS), RXIS);
			cr_assert_eq(pl011_read(&state, DR), 16 * round + i);
			cr_assert_eq(pl011_read(&state, FR), i == 15 ? FR_EMPTY : FR_SOME);
		}
		cr_assert_eq(pl011_read(&state, RIS), 0);
		pl011_receive(&state, 0xff);
		pl011_read(&state, DR); /* the next round starts at another slot */
	}
}

Test(pl011, a_byte_without_room_is_lost_and_nothing_else)
{
	struct pl011_state state = with_fifo();

	for (uint8_t i = 0; i < 20; i++)
		pl011_receive(&state, i);
	for (uint8_t i = 0; i < 16; i++)
		cr_assert_eq(pl011_read(&state, DR), i);
	cr_assert_eq(pl011_read(&state, FR), FR_EMPTY);
}

Test(pl011, receive_interrupt_cleared_early_comes_back_only_when_the_fifo_was_empty)
{
	struct pl011_state state = with_fifo();

	pl011_write(&state, IFLS, 0x24); /* the trigger level does not matter */
	pl011_receive(&state, 'a');
	pl011_write(&state, ICR, RXIS);
	pl011_receive(&state, 'b');
	cr_assert_eq(pl011_read(&state, RIS), 0);
	pl011_read(&state, DR);
	pl011_read(&state, DR);
	pl011_receive(&state, 'c');
	cr_assert_eq(pl011_read(&state, RIS), RXIS);
}

Test(pl011, reading_an_empty_fifo_gives_what_its_slot_last_held)
{
	struct pl011_state state = fresh();

	cr_assert_eq(pl011_read(&state, DR), 0);
	pl011_receive(&state, 'a');
	pl011_write(&state, LCR_H, FEN);
	cr_assert_eq(pl011_read(&state, DR), 'a');
	cr_assert_eq(pl011_read(&state, DR), 'a');
	cr_assert_eq(state.rx_count, 0);
}

Test(pl011, changing_fen_empties_the_fifo_but_other_bits_do_not)
{
	struct pl011_state state = with_fifo();

	pl011_receive(&state, 'a');
	pl011_receive(&state, 'b');
	pl011_write(&state, LCR_H, FEN | 0x61);
	cr_assert_eq(pl011_read(&state, FR), FR_SOME);
	pl011_write(&state, LCR_H, 0x61);
	cr_assert_eq(pl011_read(&state, FR), FR_EMPTY);
	cr_assert_eq(pl011_read(&state, RIS), RXIS, "only a read or UARTICR clears it");
	cr_assert(pl011_can_receive(&state));
}

Test(pl011, clearing_errors_and_interrupts)
{
	struct pl011_state state = fresh();

	state.rsr = 0xf;
	pl011_write(&state, RSR, 0xff);
	cr_assert_eq(pl011_read(&state, RSR), 0);
	pl011_write(&state, DR, 'x');
	pl011_receive(&state, 'y');
	pl011_write(&state, ICR, TXIS);
	cr_assert_eq(pl011_read(&state, RIS), RXIS);
	pl011_write(&state, ICR, 0x7ff);
	cr_assert_eq(pl011_read(&state, RIS), 0);
	cr_assert_eq(pl011_read(&state, ICR), 0);
}

Test(pl011, accesses_inside_a_register_reach_it)
{
	struct pl011_state state = fresh();

	cr_assert_eq(pl011_read(&state, FR + 1), FR_EMPTY);
	pl011_write(&state, IMSC + 3, RXIS);
	cr_assert_eq(pl011_read(&state, IMSC), RXIS);
}
