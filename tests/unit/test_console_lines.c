/* Console output by lines, and UTF-8 out of any bytes. */
#include "hv/abi/machine.h"
#include "replay/console_lines.h"
#include "replay/utf8_text.h"

#include <criterion/criterion.h>
#include <string.h>

static struct console_lines lines;

/* Prints one byte as event `index`. */
static bool print(uint64_t index, char byte)
{
	struct event event = {.n = index * 10,
			      .address = GUEST_UART_IPA,
			      .value = (uint8_t)byte,
			      .kind = EVENT_MMIO_WRITE,
			      .size = 1};
	return console_lines_add(&lines, &event, index, index * 11);
}

static bool print_all(uint64_t index, const char *text)
{
	bool complete = false;
	for (; *text; text++)
		complete = print(index++, *text);
	return complete;
}

static void expect(uint64_t line, uint64_t event, const char *text)
{
	cr_expect_eq(lines.line, line);
	cr_expect_eq(lines.event, event);
	cr_expect_eq(lines.n, event * 10);
	cr_expect_eq(lines.time_ns, event * 11);
	cr_expect_str_eq(lines.text, text);
	cr_expect_eq(lines.text_bytes, strlen(text));
}

Test(console_lines, a_line_has_the_place_of_its_first_byte)
{
	console_lines_start(&lines);
	cr_assert(print_all(5, "one\r\n"));
	expect(1, 5, "one");
	cr_assert(print_all(20, "\n"));
	expect(2, 20, "");
	cr_assert(print_all(30, "a\rb\r\r\n"));
	expect(3, 30, "a\rb");
	cr_assert_not(console_lines_end(&lines));
}

Test(console_lines, the_last_line_needs_no_newline)
{
	console_lines_start(&lines);
	cr_assert_not(console_lines_end(&lines));
	cr_assert_not(print_all(1, "rest"));
	cr_assert(console_lines_end(&lines));
	expect(1, 1, "rest");
}

Test(console_lines, other_events_print_nothing)
{
	console_lines_start(&lines);
	struct event event = {.address = GUEST_UART_IPA, .value = '\n', .kind = EVENT_MMIO_READ, .size = 1};
	cr_assert_not(console_lines_add(&lines, &event, 0, 0));
	cr_assert_not(console_lines_end(&lines));
}

Test(console_lines, a_long_line_is_cut_and_counts_once)
{
	console_lines_start(&lines);
	for (uint64_t i = 0; i < 3 * CONSOLE_LINES_BYTES_MAX; i++)
		cr_assert_not(print(i, '\xff'));
	cr_assert(print(999999, '\n'));
	cr_assert_eq(lines.text_bytes, 3 * CONSOLE_LINES_BYTES_MAX);
	cr_assert(print_all(1000000, "x\n"));
	expect(2, 1000000, "x");
}

Test(console_lines, text_is_valid_utf8_whatever_is_printed)
{
	static const struct {
		const char *bytes, *text;
		size_t count;
	} cases[] = {
		{"plain", "plain", 5},
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9},
		{"\xc3", UTF8_TEXT_REPLACEMENT, 1},
		{"\xc3(", UTF8_TEXT_REPLACEMENT "(", 2},
		{"\xc0\x80", UTF8_TEXT_REPLACEMENT UTF8_TEXT_REPLACEMENT, 2},
		{"\xe0\x80\xaf", UTF8_TEXT_REPLACEMENT UTF8_TEXT_REPLACEMENT UTF8_TEXT_REPLACEMENT, 3},
		{"\xed\xa0\x80", UTF8_TEXT_REPLACEMENT UTF8_TEXT_REPLACEMENT UTF8_TEXT_REPLACEMENT, 3},
		{"\xf4\x90\x80\x80",
		 UTF8_TEXT_REPLACEMENT UTF8_TEXT_REPLACEMENT UTF8_TEXT_REPLACEMENT UTF8_TEXT_REPLACEMENT, 4},
		{"\xf0\x9f\x98", UTF8_TEXT_REPLACEMENT UTF8_TEXT_REPLACEMENT UTF8_TEXT_REPLACEMENT, 3},
		{"a\0b", "a" UTF8_TEXT_REPLACEMENT "b", 3},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];
		size_t length = utf8_text_copy(cases[i].bytes, cases[i].count, text);
		cr_expect_str_eq(text, cases[i].text, "case %u", i);
		cr_expect_eq(length, strlen(cases[i].text), "case %u", i);
	}
}
