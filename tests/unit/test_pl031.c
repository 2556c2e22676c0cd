/* The PL031 as a guest sees it, with its alarm noticed in time, late, and across the wrap of its 32-bit count. */
#include "hv/dev/pl031.h"
#include <criterion/criterion.h>
#include <string.h>

enum { DR = 0x00, MR = 0x04, LR = 0x08, CR = 0x0c, IMSC = 0x10, RIS = 0x14, MIS = 0x18, ICR = 0x1c };

#define BASE_S UINT64_C(1700000000)
#define WRAP_S (UINT64_C(1) << 32)

static struct pl031_state fresh(void)
{
	struct pl031_state state;

	memset(&state, 0xa5, sizeof state);
	pl031_reset(&state);
	return state;
}

/* Interrupt enabled, alarm at BASE_S + 10, armed at BASE_S. */
static struct pl031_state with_alarm(void)
{
	struct pl031_state state = fresh();

	pl031_write(&state, IMSC, 1, BASE_S);
	pl031_write(&state, MR, BASE_S + 10, BASE_S);
	return state;
}

Test(pl031, reset_values)
{
	struct pl031_state state = fresh();

	for (uint32_t offset = 0; offset < 0xfe0; offset += 4) {
		const uint64_t expected = offset == DR ? BASE_S : offset == CR ? 1 : 0;

		cr_expect_eq(pl031_read(&state, offset, BASE_S), expected, "offset %#x", offset);
	}
	cr_assert_not(pl031_line(&state));
	cr_assert_eq(pl031_deadline_s(&state, BASE_S), UINT64_MAX);
}

Test(pl031, identification_registers)
{
	static const uint8_t expected[] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
	struct pl031_state state = fresh();

	for (uint32_t i = 0; i < 8; i++)
		cr_expect_eq(pl031_read(&state, 0xfe0 + 4 * i, BASE_S), expected[i]);
	cr_assert_eq(pl031_read(&state, 0xfff, BASE_S), 0xb1);
	cr_assert_eq(pl031_read(&state, 0x1000, BASE_S), 0);
	cr_assert_eq(pl031_read(&state, UINT32_MAX, BASE_S), 0);
}

Test(pl031, writes_to_read_only_and_absent_registers_change_nothing)
{
	for (uint32_t offset = 0; offset < 0x1100; offset++) {
		const struct pl031_state before = fresh();
		struct pl031_state state = before;
		const bool is_writable = offset == MR || offset == LR || offset == IMSC;

		pl031_write(&state, offset, UINT32_MAX, BASE_S);
		cr_expect_eq(memcmp(&state, &before, sizeof state) != 0, is_writable, "offset %#x", offset);
	}
}

Test(pl031, counts_seconds_modulo_32_bits)
{
	struct pl031_state state = fresh();

	cr_assert_eq(pl031_read(&state, DR, 5), 5);
	cr_assert_eq(pl031_read(&state, DR, BASE_S), BASE_S);
	cr_assert_eq(pl031_read(&state, DR, WRAP_S + 7), 7);
}

Test(pl031, setting_the_clock_moves_what_it_reads)
{
	struct pl031_state state = fresh();

	pl031_write(&state, LR, 1000, BASE_S);
	cr_assert_eq(pl031_read(&state, LR, BASE_S), 1000);
	cr_assert_eq(pl031_read(&state, DR, BASE_S), 1000);
	cr_assert_eq(pl031_read(&state, DR, BASE_S + 3), 1003);
	pl031_write(&state, LR, BASE_S + 100, BASE_S + 5);
	cr_assert_eq(pl031_read(&state, DR, BASE_S + 6), BASE_S + 101);
}

Test(pl031, alarm_rises_in_its_second_and_stays_until_cleared)
{
	struct pl031_state state = with_alarm();

	cr_assert_eq(pl031_deadline_s(&state, BASE_S), 10);
	pl031_tick(&state, BASE_S + 9);
	cr_assert_not(pl031_line(&state));
	cr_assert_eq(pl031_deadline_s(&state, BASE_S + 9), 1);
	pl031_tick(&state, BASE_S + 10);
	cr_assert(pl031_line(&state));
	cr_assert_eq(pl031_deadline_s(&state, BASE_S + 10), UINT64_MAX);
	cr_assert_eq(pl031_read(&state, MIS, BASE_S + 20), 1);
	cr_assert_eq(pl031_read(&state, DR, BASE_S + 20), BASE_S + 20);
	pl031_write(&state, ICR, 1, BASE_S + 20);
	cr_assert_not(pl031_line(&state));
}

Test(pl031, alarm_fires_once_for_each_arming)
{
	struct pl031_state state = with_alarm();

	pl031_tick(&state, BASE_S + 10);
	pl031_write(&state, ICR, 1, BASE_S + 10);
	pl031_tick(&state, BASE_S + 10);
	cr_assert_not(pl031_line(&state), "cleared within the second that matched");
	pl031_tick(&state, BASE_S + 10 + WRAP_S);
	cr_assert_not(pl031_line(&state));
	cr_assert_eq(pl031_deadline_s(&state, BASE_S + 11), UINT64_MAX);
	pl031_write(&state, MR, BASE_S + 12, BASE_S + 11);
	pl031_tick(&state, BASE_S + 12);
	cr_assert(pl031_line(&state));
}

Test(pl031, late_notice_gives_the_same_state)
{
	struct pl031_state late = with_alarm();
	struct pl031_state punctual = with_alarm();

	cr_assert_eq(pl031_deadline_s(&late, BASE_S + 500), 0);
	pl031_tick(&late, BASE_S + 500);
	for (uint64_t s = 0; s <= 500; s++)
		pl031_tick(&punctual, BASE_S + s);
	cr_assert(pl031_line(&late));
	cr_assert_eq(memcmp(&late, &punctual, sizeof late), 0);
}

Test(pl031, registers_show_an_alarm_that_nobody_ticked)
{
	struct pl031_state state = with_alarm();

	cr_assert_eq(pl031_read(&state, RIS, BASE_S + 9), 0);
	cr_assert_eq(pl031_read(&state, RIS, BASE_S + 11), 1);
	state = with_alarm();
	pl031_write(&state, ICR, 1, BASE_S + 11);
	cr_assert_eq(pl031_read(&state, RIS, BASE_S + 12), 0, "it was due before it was cleared");
}

Test(pl031, masked_alarm_has_no_deadline_but_is_seen_when_unmasked)
{
	struct pl031_state state = with_alarm();

	pl031_write(&state, IMSC, 0xfffffffe, BASE_S);
	cr_assert_eq(pl031_read(&state, IMSC, BASE_S), 0);
	cr_assert_eq(pl031_deadline_s(&state, BASE_S + 1), UINT64_MAX);
	cr_assert_eq(pl031_read(&state, RIS, BASE_S + 11), 1);
	cr_assert_eq(pl031_read(&state, MIS, BASE_S + 11), 0);
	cr_assert_not(pl031_line(&state));
	pl031_write(&state, IMSC, 0xffffffff, BASE_S + 12);
	cr_assert_eq(pl031_read(&state, IMSC, BASE_S + 12), 1);
	cr_assert(pl031_line(&state));
}

Test(pl031, match_equal_to_the_count_fires_at_once)
{
	struct pl031_state state = fresh();

	pl031_write(&state, MR, BASE_S, BASE_S);
	cr_assert_eq(pl031_read(&state, RIS, BASE_S), 1);
	pl031_write(&state, ICR, 1, BASE_S);
	cr_assert_eq(pl031_read(&state, RIS, BASE_S), 0);
	pl031_write(&state, LR, BASE_S, BASE_S + 50);
	cr_assert_eq(pl031_read(&state, RIS, BASE_S + 50), 1);
}

Test(pl031, match_in_the_past_waits_for_the_wrap)
{
	struct pl031_state state = fresh();

	pl031_write(&state, IMSC, 1, BASE_S);
	pl031_write(&state, MR, BASE_S - 1, BASE_S);
	cr_assert_eq(pl031_deadline_s(&state, BASE_S), WRAP_S - 1);
	pl031_tick(&state, BASE_S + WRAP_S - 2);
	cr_assert_not(pl031_line(&state));
	cr_assert_eq(pl031_read(&state, DR, BASE_S + WRAP_S - 2), BASE_S - 2);
	pl031_tick(&state, BASE_S + WRAP_S - 1);
	cr_assert(pl031_line(&state));
}

Test(pl031, alarm_at_the_last_second_before_the_wrap_is_not_lost)
{
	struct pl031_state state = fresh();

	pl031_write(&state, IMSC, 1, BASE_S);
	pl031_write(&state, MR, 0xffffffff, BASE_S);
	pl031_tick(&state, WRAP_S + 3);
	cr_assert(pl031_line(&state));
	cr_assert_eq(pl031_read(&state, DR, WRAP_S + 3), 3);
}

Test(pl031, setting_the_clock_rearms_the_alarm)
{
	struct pl031_state state = with_alarm();

	pl031_write(&state, LR, BASE_S + 8, BASE_S + 1);
	cr_assert_eq(pl031_deadline_s(&state, BASE_S + 1), 2);
	pl031_tick(&state, BASE_S + 3);
	cr_assert(pl031_line(&state));
	pl031_write(&state, ICR, 1, BASE_S + 3);
	pl031_write(&state, LR, BASE_S, BASE_S + 4);
	cr_assert_eq(pl031_deadline_s(&state, BASE_S + 4), 10);
}

Test(pl031, no_deadline_while_the_line_is_up_already)
{
	struct pl031_state state = with_alarm();

	pl031_tick(&state, BASE_S + 10);
	pl031_write(&state, MR, BASE_S + 30, BASE_S + 11);
	cr_assert(pl031_line(&state));
	cr_assert_eq(pl031_deadline_s(&state, BASE_S + 11), UINT64_MAX);
	pl031_write(&state, ICR, 1, BASE_S + 12);
	cr_assert_eq(pl031_deadline_s(&state, BASE_S + 12), 18);
}
