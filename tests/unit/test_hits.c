/* What searches know: random hits and random stretches of them, against looking at every position. */
#include "replay/travel/hits.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 300, ROUNDS = 200 };

static struct hit_list list_of(const bool is_hit[LENGTH], uint64_t low, uint64_t high)
{
	struct hit_list list = {0};
	for (uint64_t n = low; n < high; n++) {
		if (is_hit[n])
			cr_assert(hit_list_add(&list, &(struct hit){n, HIT_PLACE, {STOP_BREAKPOINT, n * 4}}));
	}
	return list;
}

static void look_back(const struct hit_set *set, const bool is_hit[LENGTH], const bool is_known[LENGTH], uint64_t from)
{
	uint64_t n = from, expected = from;
	struct hit hit = {0};
	while (expected > 0 && is_known[expected - 1] && !is_hit[expected - 1])
		expected--;
	bool finds = expected > 0 && is_known[expected - 1];
	cr_assert_eq(hits_before(set, &n, &hit), finds, "from %d", (int)from);
	if (finds)
		cr_assert(hit.n == expected - 1 && hit.stop.address == hit.n * 4);
	else
		cr_assert_eq(n, expected);
	if (expected > 0 && !finds) {
		uint64_t unknown = expected;
		while (unknown > 0 && !is_known[unknown - 1])
			unknown--;
		cr_assert_eq(hits_unknown_from(set, 0, expected), unknown);
		cr_assert_eq(hits_unknown_from(set, expected - 1, expected), expected - 1);
	}
}

static void none(const struct hit_set *set, const bool is_hit[LENGTH], const bool is_known[LENGTH], uint64_t low,
		 uint64_t high)
{
	bool expected = true;
	for (uint64_t n = low; n < high; n++)
		expected &= is_known[n] && !is_hit[n];
	cr_assert_eq(hits_none(set, low, high), expected);
}

Test(hits, what_is_known_is_what_was_learnt)
{
	srand(7);
	for (int round = 0; round < ROUNDS; round++) {
		struct hits hits = {0};
		struct points_packed points = {.count = 1, .at = {{.address = 4}}};
		bool is_hit[LENGTH], is_known[LENGTH] = {false};
		int one_in = 1 + rand() % 20;
		for (int n = 0; n < LENGTH; n++)
			is_hit[n] = rand() % one_in == 0;
		for (int i = 0; i < 40; i++) {
			struct hit_set *set = hits_of(&hits, &points);
			uint64_t low = (uint64_t)(rand() % LENGTH), high = low + (uint64_t)(rand() % 12);
			high = high < LENGTH ? high : LENGTH;
			bool is_new = true;
			for (uint64_t n = low; n < high; n++)
				is_new &= !is_known[n];
			struct hit_list list = list_of(is_hit, low, high);
			cr_assert(hits_learn(set, low, high, &list));
			cr_assert_null(list.at);
			for (uint64_t n = low; is_new && n < high; n++)
				is_known[n] = true;
			look_back(set, is_hit, is_known, (uint64_t)(rand() % LENGTH));
			none(set, is_hit, is_known, low, high);
		}
		for (uint64_t n = 0; n < LENGTH; n++)
			look_back(hits_of(&hits, &points), is_hit, is_known, n);
		hits_free(&hits);
	}
}

Test(hits, a_list_has_each_place_once_and_can_be_cut)
{
	struct hit_list list = {0};
	const struct hit hits[] = {{5, HIT_PLACE, {STOP_BREAKPOINT, 0}},
				   {5, HIT_PLACE, {STOP_BREAKPOINT, 0}},
				   {5, HIT_ACCESS, {STOP_WATCHPOINT, 8}},
				   {6, HIT_ACCESS, {STOP_WATCHPOINT, 8}}};
	for (size_t i = 0; i < 4; i++)
		cr_assert(hit_list_add(&list, &hits[i]));
	cr_assert_eq(list.count, 3);
	hit_list_cut(&list, 6);
	cr_assert_eq(list.count, 2);
	hit_list_cut(&list, 5);
	cr_assert_eq(list.count, 0);
	hit_list_free(&list);
}

/* Points that differ in address, access or condition have nothing in common; the set used least recently goes first. */
Test(hits, each_set_of_points_has_its_own)
{
	static struct hits hits;
	struct points_packed points = {.count = 1};
	const uint8_t conditions[] = {1, 0, 0, 0, 0x27, 2, 0, 0, 0, 0x29, 0x27};
	struct hv_debug_point point = {.address = 4, .condition_bytes = 5};
	struct hit_list none = {0};
	points_pack(&points, (struct points){&point, 1, conditions});
	cr_assert(hits_learn(hits_of(&hits, &points), 0, 10, &none));
	cr_assert(hits_none(hits_of(&hits, &points), 0, 10));
	point = (struct hv_debug_point){.address = 4, .condition = 5, .condition_bytes = 6};
	points_pack(&points, (struct points){&point, 1, conditions});
	cr_assert_not(hits_none(hits_of(&hits, &points), 0, 10), "another condition");
	for (uint64_t i = 0; i < HIT_SETS_MAX - 1; i++) {
		struct hv_debug_point other = {.address = 8 + 4 * i};
		points_pack(&points, (struct points){&other, 1, NULL});
		cr_assert_not(hits_none(hits_of(&hits, &points), 0, 10), "another address");
		point = (struct hv_debug_point){.address = 4, .condition_bytes = 5};
		points_pack(&points, (struct points){&point, 1, conditions});
		cr_assert(hits_none(hits_of(&hits, &points), 0, 10), "it was used just before");
	}
	hits_free(&hits);
}

/* The same conditions at other offsets are the same points; what has no room has no condition. */
Test(hits, conditions_are_compared_by_what_they_say)
{
	static struct points_packed a, b;
	static uint8_t conditions[HV_CONDITION_BYTES + 16];
	const struct hv_debug_point near = {.address = 4, .condition = 2, .condition_bytes = 6};
	const struct hv_debug_point far = {.address = 4, .condition = 10, .condition_bytes = 6};
	memset(conditions, 0x27, sizeof(conditions));
	points_pack(&a, (struct points){&near, 1, conditions});
	points_pack(&b, (struct points){&far, 1, conditions});
	cr_assert(points_packed_equal(&a, &b));
	conditions[12] = 0;
	points_pack(&b, (struct points){&far, 1, conditions});
	cr_assert_not(points_packed_equal(&a, &b));
	const struct hv_debug_point large[] = {{.address = 4, .condition_bytes = HV_CONDITION_BYTES},
					       {.address = 8, .condition_bytes = 1}};
	points_pack(&a, (struct points){large, 2, conditions});
	cr_assert(a.at[0].condition_bytes == HV_CONDITION_BYTES && a.at[1].condition_bytes == 0);
}

Test(hits, at_one_position_the_place_comes_first_and_the_access_last)
{
	const struct hit hits[] = {{.n = 4, .rank = HIT_ACCESS},
				   {.n = 5, .rank = HIT_PLACE},
				   {.n = 5, .rank = HIT_VECTOR},
				   {.n = 5, .rank = HIT_ACCESS},
				   {.n = 6, .rank = HIT_PLACE}};
	for (size_t i = 0; i < 5; i++) {
		for (size_t j = 0; j < 5; j++)
			cr_expect_eq(hit_is_before(&hits[i], &hits[j]), i < j, "%zu and %zu", i, j);
	}
}

Test(hits, only_a_breakpoint_and_a_watchpoint_are_hits)
{
	for (enum stop_kind kind = STOP_NONE; kind <= STOP_FAILED; kind++)
		cr_expect_eq(hit_is_one(&(struct hit){.stop = {kind, 0}}),
			     kind == STOP_BREAKPOINT || kind == STOP_WATCHPOINT);
}
