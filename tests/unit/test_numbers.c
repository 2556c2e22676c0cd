/* What monitor commands read: whole text or nothing, and *value stays as it was for nothing. */
#include "replay/trace/numbers.h"
#include "replay/trace/words.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(numbers);
TestSuite(words);

struct value_case {
	const char *text;
	uint64_t value;
};

static void expect_values(bool (*parse)(const char *, uint64_t *), const struct value_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 4242;
		cr_expect(parse(cases[i].text, &value), "%s", cases[i].text);
		cr_expect_eq(value, cases[i].value, "%s", cases[i].text);
	}
}

static void expect_bad(bool (*parse)(const char *, uint64_t *), const char *const *bad, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 4242;
		cr_expect_not(parse(bad[i], &value), "\"%s\"", bad[i]);
		cr_expect_eq(value, 4242, "\"%s\"", bad[i]);
	}
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

Test(numbers, values)
{
	static const struct value_case good[] = {{"0", 0},
						 {"010", 10},
						 {"0x20", 32},
						 {"0XfF", 255},
						 {"18446744073709551615", UINT64_MAX},
						 {"1_000_000", 1000000},
						 {"0xffff_ffff", 0xffffffff},
						 {"0xffffffffffffffff", UINT64_MAX}};
	static const char *const bad[] = {"",
					  " 5",
					  "5 ",
					  "-1",
					  "+1",
					  "0x",
					  "x",
					  "5k",
					  "1.5",
					  "_1",
					  "1_",
					  "1__0",
					  "0x_1",
					  "1_f",
					  "18446744073709551616",
					  "0x1ffffffffffffffff"};
	expect_values(numbers_value, good, COUNT_OF(good));
	expect_bad(numbers_value, bad, COUNT_OF(bad));
}

Test(numbers, counts)
{
	static const struct value_case good[] = {
		{"0", 0},           {"1500000", 1500000}, {"12k", 12000}, {"3M", 3000000},
		{"2G", 2000000000}, {"2g", 2000000000},   {"0x20", 32},   {"18446744073709551615", UINT64_MAX},
		{"1_500k", 1500000}};
	static const char *const bad[] = {"",  " 5",  "-1",  "0x",  "5mm",
					  "k", "1.5", "1e3", "5k ", "18446744073709551615k"};
	expect_values(numbers_count, good, COUNT_OF(good));
	expect_bad(numbers_count, bad, COUNT_OF(bad));
}

Test(numbers, billionths)
{
	static const struct value_case good[] = {{"0", 0},
						 {"1", 1000000000},
						 {"1.", 1000000000},
						 {"1.5", 1500000000},
						 {"0.000000001", 1},
						 {"0.123456789", 123456789},
						 {"1844674406.999999999", UINT64_C(1844674406999999999)}};
	static const char *const bad[] = {"", ".5", "-1", "1.0000000001", "1.5.", "1e3", "1s", "nan", "99999999999999"};
	expect_values(numbers_billionths, good, COUNT_OF(good));
	expect_bad(numbers_billionths, bad, COUNT_OF(bad));
}

Test(numbers, percent)
{
	static const char *const bad[] = {"", "%", "50", "101%", "100.000000001%", "-1%", "5%%", "5% ", "x%"};
	double ratio = -1;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		cr_expect_not(numbers_percent(bad[i], &ratio), "%s", bad[i]);
	cr_expect_eq(ratio, -1);
	cr_expect(numbers_percent("100%", &ratio) && ratio == 1);
	cr_expect(numbers_percent("12.5%", &ratio) && ratio == 0.125);
	cr_expect(numbers_percent("0%", &ratio) && ratio == 0);
}

Test(numbers, ranges)
{
	static const char *const bad[] = {"", "..", "1..", "..2", "2..1", "1.2", "1...2", "1..2..3", "a..b", "1k..2k"};
	uint64_t from = 7, to = 8;
	char long_text[200];
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		cr_expect_not(numbers_range(bad[i], numbers_value, &from, &to), "%s", bad[i]);
	memset(long_text, '1', sizeof(long_text));
	memcpy(long_text + sizeof(long_text) - 4, "..2", 4);
	cr_expect_not(numbers_range(long_text, numbers_value, &from, &to));
	cr_expect(from == 7 && to == 8);
	cr_expect(numbers_range("1..0x10", numbers_value, &from, &to) && from == 1 && to == 16);
	cr_expect(numbers_range("5..5", numbers_value, &from, &to) && from == 5 && to == 5);
	cr_expect(numbers_range("1k..2M", numbers_count, &from, &to) && from == 1000 && to == 2000000);
}

Test(words, after_a_word)
{
	cr_expect_str_eq(words_after("irq 27", "irq"), "27");
	cr_expect_str_eq(words_after("irq   27 8", "irq"), "27 8");
	cr_expect_str_eq(words_after("irq", "irq"), "");
	cr_expect_null(words_after("irqs", "irq"));
	cr_expect_null(words_after("ir", "irq"));
	cr_expect_null(words_after("", "irq"));
}

Test(words, lines_are_trimmed)
{
	char text[5] = "????";
	cr_expect(words_trim(" \t a b \r\n", text, sizeof(text)));
	cr_expect_str_eq(text, "a b");
	cr_expect(words_trim("   ", text, sizeof(text)));
	cr_expect_str_eq(text, "");
	cr_expect(words_trim(" 1234 ", text, sizeof(text)));
	cr_expect_str_eq(text, "1234");
	cr_expect_not(words_trim("12345", text, sizeof(text)));
}
