/* The stretches of a search: where they begin and end, who gets which, and when there is an answer. */
#include "replay/travel/stretches.h"

#include <criterion/criterion.h>

static struct stretches stretches;

static void divide(bool reverse)
{
	static const uint64_t positions[] = {0, 10, 20, 30, 40, 50};
	cr_assert(stretches_divide(&stretches, 10, 45, positions, 6));
	if (reverse)
		stretches_reverse(&stretches);
	cr_assert_eq(stretches.count, 4);
}

static void expect(size_t index, uint64_t low, uint64_t high)
{
	cr_expect_eq(stretches.at[index].low, low);
	cr_expect_eq(stretches.at[index].high, high);
}

static void finish(void)
{
	stretches_free(&stretches);
}

TestSuite(stretches, .fini = finish);

Test(stretches, cover_all_in_the_order_of_the_search)
{
	divide(false);
	expect(0, 10, 20);
	expect(1, 20, 30);
	expect(2, 30, 40);
	expect(3, 40, 45);
	stretches_free(&stretches);
	divide(true);
	expect(0, 40, 45);
	expect(1, 30, 40);
	expect(2, 20, 30);
	expect(3, 10, 20);
}

Test(stretches, are_one_where_no_position_is_inside)
{
	static const uint64_t positions[] = {5, 10, 20};
	cr_assert(stretches_divide(&stretches, 10, 20, positions, 3));
	stretches_reverse(&stretches);
	cr_assert_eq(stretches.count, 1);
	expect(0, 10, 20);
}

Test(stretches, none_are_taken_of_none)
{
	cr_expect_eq(stretches_take(&stretches), SIZE_MAX);
}

Test(stretches, are_taken_in_order_and_again_if_given_back)
{
	divide(false);
	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(stretches_take(&stretches), i);
	cr_expect_eq(stretches_take(&stretches), SIZE_MAX);
	stretches.at[2].state = STRETCH_FREE;
	cr_expect_eq(stretches_take(&stretches), 2);
}

Test(stretches, none_is_taken_behind_a_hit)
{
	divide(false);
	stretches_take(&stretches);
	stretches_take(&stretches);
	stretches.at[0].state = STRETCH_FREE;
	stretches.at[1].state = STRETCH_HIT;
	cr_expect_eq(stretches_take(&stretches), 0);
	cr_expect_eq(stretches_take(&stretches), SIZE_MAX);
}

Test(stretches, a_hit_is_the_answer_once_all_before_are_clean)
{
	divide(false);
	stretches.at[1].state = STRETCH_HIT;
	cr_expect_eq(stretches_first(&stretches), 0);
	stretches.at[0].state = STRETCH_CLEAN;
	cr_expect_eq(stretches_first(&stretches), 1);
	stretches.at[1].state = stretches.at[2].state = stretches.at[3].state = STRETCH_CLEAN;
	cr_expect_eq(stretches_first(&stretches), 4);
}
