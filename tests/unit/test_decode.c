/* The load/store decoder against the assembler's words (decode_cases.h, made at build time by make-decode-cases.sh),
 * the arithmetic of its helpers, and its promises about ranges over ten million random words. */
#include "hv/core/decode.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stddef.h>

struct accepted_case {
	uint32_t word;
	const char *text;
	struct decode_access access;
};

struct refused_case {
	uint32_t word;
	const char *text;
};

#include "tests/unit/decode_cases.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static struct decode_access decoded(uint32_t word)
{
	struct decode_access access;

	cr_assert(decode_load_store(word, &access), "%08" PRIx32 " is a load or store", word);
	return access;
}

static void expect_equal(const struct accepted_case *expected, const struct decode_access *actual)
{
#define EXPECT_FIELD(field)                                                                                            \
	cr_expect(actual->field == expected->access.field, "%s: " #field " is %lld, not %lld", expected->text,         \
		  (long long)actual->field, (long long)expected->access.field)
	EXPECT_FIELD(is_write);
	EXPECT_FIELD(is_simd);
	EXPECT_FIELD(sign_extend);
	EXPECT_FIELD(writeback);
	EXPECT_FIELD(post_index);
	EXPECT_FIELD(is_literal);
	EXPECT_FIELD(has_register_offset);
	EXPECT_FIELD(size);
	EXPECT_FIELD(count);
	EXPECT_FIELD(rt);
	EXPECT_FIELD(rt2);
	EXPECT_FIELD(register_bits);
	EXPECT_FIELD(rn);
	EXPECT_FIELD(rm);
	EXPECT_FIELD(extend);
	EXPECT_FIELD(shift);
	EXPECT_FIELD(offset);
#undef EXPECT_FIELD
}

Test(decode, assembled_loads_and_stores_have_the_fields_that_their_text_says)
{
	cr_assert_gt(COUNT_OF(accepted_cases), 700);
	for (size_t i = 0; i < COUNT_OF(accepted_cases); i++) {
		struct decode_access access;

		cr_expect(decode_load_store(accepted_cases[i].word, &access), "%s is refused", accepted_cases[i].text);
		expect_equal(&accepted_cases[i], &access);
	}
}

Test(decode, what_cannot_go_to_a_device_is_refused_and_leaves_zeroes)
{
	const struct accepted_case zero = {.text = "refused"};

	cr_assert_gt(COUNT_OF(refused_cases), 60);
	for (size_t i = 0; i < COUNT_OF(refused_cases); i++) {
		struct decode_access access = {.size = 1, .rn = 1, .offset = -1};

		cr_expect(!decode_load_store(refused_cases[i].word, &access), "%s is accepted", refused_cases[i].text);
		expect_equal(&zero, &access);
	}
}

Test(decode, immediate_addresses)
{
	const struct decode_access unsigned_offset = decoded(0xf9400820); /* ldr x0, [x1, #16] */
	const struct decode_access pre_index = decoded(0xf81f0c20);       /* str x0, [x1, #-16]! */
	const struct decode_access post_index = decoded(0xa8810820);      /* stp x0, x2, [x1], #16 */
	const struct decode_access literal = decoded(0x58ffffe0);         /* ldr x0, . - 4 */

	cr_assert_eq(decode_address(&unsigned_offset, 0x1000, 0x77), 0x1010);
	cr_assert_eq(decode_address(&pre_index, 0x1000, 0), 0xff0);
	cr_assert_eq(decode_writeback(&pre_index, 0x1000), 0xff0);
	cr_assert_eq(decode_address(&post_index, 0x1000, 0), 0x1000);
	cr_assert_eq(decode_writeback(&post_index, 0x1000), 0x1010);
	cr_assert_eq(decode_address(&literal, 0x80000000, 0), 0x7ffffffc);
}

Test(decode, addresses_wrap_at_64_bits)
{
	const struct decode_access pre_index = decoded(0xf81f0c20); /* str x0, [x1, #-16]! */
	const struct decode_access offset = decoded(0xf9400820);    /* ldr x0, [x1, #16] */

	cr_assert_eq(decode_address(&pre_index, 8, 0), UINT64_MAX - 7);
	cr_assert_eq(decode_writeback(&pre_index, 8), UINT64_MAX - 7);
	cr_assert_eq(decode_address(&offset, UINT64_MAX - 7, 0), 8);
}

Test(decode, index_registers_are_extended_then_shifted)
{
	const uint64_t index = UINT64_C(0x12345678fffffffe);
	const struct decode_access uxtw = decoded(0x3ca25820); /* str q0, [x1, w2, uxtw #4] */
	const struct decode_access sxtw = decoded(0x3ca2d820); /* str q0, [x1, w2, sxtw #4] */
	const struct decode_access lsl = decoded(0xf8627820);  /* ldr x0, [x1, x2, lsl #3] */
	const struct decode_access none = decoded(0xf8626820); /* ldr x0, [x1, x2] */

	cr_assert_eq(decode_address(&uxtw, 0x1000, index), UINT64_C(0x1000) + UINT64_C(0xfffffffe0));
	cr_assert_eq(decode_address(&sxtw, 0x1000, index), 0x1000 - 0x20);
	cr_assert_eq(decode_address(&lsl, 0x1000, index), UINT64_C(0x91a2b3c7fffffff0) + 0x1000);
	cr_assert_eq(decode_address(&none, 0x1000, index), index + 0x1000);
}

Test(decode, loaded_values_are_extended_to_their_register)
{
	const struct decode_access ldrb = decoded(0x39400020);    /* ldrb w0, [x1] */
	const struct decode_access ldrsb_w = decoded(0x39c00020); /* ldrsb w0, [x1] */
	const struct decode_access ldrsb_x = decoded(0x39800020); /* ldrsb x0, [x1] */
	const struct decode_access ldrsw = decoded(0xb9800020);   /* ldrsw x0, [x1] */
	const struct decode_access ldr_w = decoded(0xb9400020);   /* ldr w0, [x1] */
	const struct decode_access ldr_x = decoded(0xf9400020);   /* ldr x0, [x1] */
	const uint64_t data = UINT64_C(0xfedcba9887654380);

	cr_assert_eq(decode_load_value(&ldrb, data), 0x80);
	cr_assert_eq(decode_load_value(&ldrsb_w, data), 0xffffff80);
	cr_assert_eq(decode_load_value(&ldrsb_x, data), UINT64_C(0xffffffffffffff80));
	cr_assert_eq(decode_load_value(&ldrsb_x, 0x7f), 0x7f);
	cr_assert_eq(decode_load_value(&ldrsw, data), UINT64_C(0xffffffff87654380));
	cr_assert_eq(decode_load_value(&ldr_w, data), 0x87654380);
	cr_assert_eq(decode_load_value(&ldr_x, data), data);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static bool is_power_of_two_up_to(unsigned value, unsigned max)
{
	return value != 0 && value <= max && (value & (value - 1)) == 0;
}

/* The promises of decode.h about every accepted word. */
static bool is_in_range(const struct decode_access *access)
{
	const bool is_width_valid = access->is_simd ? access->register_bits == 128
						    : access->register_bits == 32 || access->register_bits == 64;
	const bool is_base_valid = access->rn < 32 && (!access->is_literal || access->rn == 0);
	const bool is_index_valid = access->has_register_offset
					    ? access->rm < 32 && access->shift <= 4 && access->offset == 0
					    : access->rm == 0 && access->shift == 0 && access->extend == 0;

	return is_power_of_two_up_to(access->size, access->is_simd ? 16 : 8) && is_width_valid && is_base_valid &&
	       is_index_valid && (access->count == 1 || access->count == 2) && access->rt < 32 && access->rt2 < 32 &&
	       (access->count == 2 || access->rt2 == 0) && (access->writeback || !access->post_index) &&
	       !(access->sign_extend && (access->is_write || access->is_simd)) &&
	       access->size * 8 <= access->register_bits;
}

Test(decode, random_words_keep_every_field_in_range)
{
	uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t sum = 0;
	unsigned accepted_count = 0;

	for (unsigned i = 0; i < 10000000; i++) {
		const uint64_t random = next_random(&seed);
		uint32_t word = (uint32_t)random;
		struct decode_access access;

		if (i % 2 == 0) /* every other word is in the group of loads and stores */
			word = (word | UINT32_C(0x08000000)) & ~UINT32_C(0x02000000);
		if (!decode_load_store(word, &access))
			continue;
		accepted_count++;
		cr_assert(is_in_range(&access), "%08" PRIx32, word);
		sum += decode_address(&access, random, ~random) + decode_writeback(&access, random);
		if (!access.is_simd)
			sum += decode_load_value(&access, random);
	}
	cr_assert_gt(accepted_count, 1000000);
	cr_assert_neq(sum, 0);
}
