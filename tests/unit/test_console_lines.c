/* Lines out of console bytes, a text found wherever its bytes stand, and UTF-8 out of any bytes. */
#include "hv/abi/machine.h"
#include "replay/trace/console_lines.h"
#include "replay/trace/utf8_text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(console_lines);

static struct console_lines lines;

/* The byte printed at position n, 1000 ns after it. */
static bool print(char byte, uint64_t n)
{
	struct event_at at = {.event = {.n = n,
					.kind = EVENT_MMIO_WRITE,
					.address = GUEST_UART_IPA,
					.value = (uint8_t)byte,
					.size = 1},
			      .index = n / 10,
			      .guest_ns = n + 1000};
	return console_lines_take(&lines, &at);
}

/* Prints `text` from position `n` on, a byte every 10, and writes down "TEXT@n" for each line, "!N" behind those that
 * have what is looked for. */
static void run(const char *text, const char *find, char *seen, size_t bytes)
{
	bool more = true;
	uint64_t count = 0;
	*seen = 0;
	console_lines_start(&lines, find);
	for (size_t i = 0; more; i++) {
		more = text[i] != 0;
		if (more ? !print(text[i], 100 + 10 * i) : !console_lines_end(&lines))
			continue;
		size_t used = strlen(seen);
		snprintf(seen + used, bytes - used, "%s@%d", lines.line.text, (int)lines.line.n);
		cr_expect_eq(lines.line.number, ++count);
		cr_expect_eq(lines.line.event, lines.line.n / 10);
		cr_expect_eq(lines.line.guest_ns, lines.line.n + 1000);
		cr_expect_eq(lines.line.text_bytes, strlen(lines.line.text));
		used = strlen(seen);
		if (lines.line.found)
			snprintf(seen + used, bytes - used, "!%d", (int)lines.line.found_n);
		strncat(seen, ";", bytes - strlen(seen) - 1);
	}
}

static void expect(const char *text, const char *find, const char *expected)
{
	char seen[512];
	run(text, find, seen, sizeof(seen));
	cr_expect_str_eq(seen, expected);
}

Test(console_lines, lines_with_the_place_of_their_first_byte)
{
	expect("ab\r\nc\n\nd", NULL, "ab@100;c@140;@160;d@170;");
	expect("", NULL, "");
	expect("\n", NULL, "@100;");
	expect("a\tb\033[1m\n", NULL, "a\tb\033[1m@100;");
	expect("a\rb\r\r\n\r\n\r", NULL, "a\rb@100;@160;@180;");
}

Test(console_lines, a_text_is_found_right_behind_its_last_byte)
{
	expect("one\ntwo\none", "one", "one@100!121;two@140;one@180!201;");
	expect("aaab\n", "aab", "aaab@100!131;");
	expect("abababac\n", "ababac", "abababac@100!171;");
	expect("xx\n", "x", "xx@100!101;");
	expect("one\n", "none", "one@100;");
	expect("a\nb\n", "a\nb", "a@100;b@120!121;");
	expect("aaa\naaa\n", "aa", "aaa@100!111;aaa@140!151;");
}

Test(console_lines, other_events_print_nothing)
{
	console_lines_start(&lines, NULL);
	struct event_at at = {
		.event = {.kind = EVENT_MMIO_WRITE, .address = GUEST_UART_IPA + 4, .value = '\n', .size = 1}};
	cr_expect_not(console_lines_take(&lines, &at));
	at.event = (struct event){.kind = EVENT_MMIO_READ, .address = GUEST_UART_IPA, .value = '\n', .size = 1};
	cr_expect_not(console_lines_take(&lines, &at));
	cr_expect_not(console_lines_end(&lines));
}

Test(console_lines, what_is_behind_a_long_line_is_searched_but_not_kept)
{
	console_lines_start(&lines, "end");
	for (uint64_t i = 0; i < 3 * CONSOLE_LINE_BYTES_MAX; i++)
		cr_assert_not(print('x', i));
	print('e', 50000);
	print('n', 50001);
	print('d', 50002);
	cr_assert(print('\n', 50003));
	cr_expect_eq(lines.line.text_bytes, CONSOLE_LINE_BYTES_MAX);
	cr_expect_eq(strlen(lines.line.text), CONSOLE_LINE_BYTES_MAX);
	cr_expect_eq(lines.line.number, 1);
	cr_expect_eq(lines.line.n, 0);
	cr_expect(lines.line.found);
	cr_expect_eq(lines.line.found_n, 50003);
}

Test(console_lines, what_is_no_text_takes_three_bytes_each)
{
	console_lines_start(&lines, NULL);
	for (uint64_t i = 0; i < 3 * CONSOLE_LINE_BYTES_MAX; i++)
		cr_assert_not(print('\xff', i));
	cr_assert(print('\n', 50000));
	cr_expect_eq(lines.line.text_bytes, 3 * CONSOLE_LINE_BYTES_MAX);
	cr_assert_not(print('x', 50010));
	cr_assert(print('\n', 50020));
	cr_expect_eq(lines.line.number, 2);
	cr_expect_str_eq(lines.line.text, "x");
}

/* Every text of two letters up to five bytes, in random consoles: as strstr finds it. */
Test(console_lines, finds_what_strstr_finds)
{
	srand(7);
	for (int round = 0; round < 3000; round++) {
		char text[41] = "", find[6] = "";
		for (int i = 0; i < 40; i++)
			text[i] = rand() % 2 ? 'a' : 'b';
		for (int i = 0, length = 1 + rand() % 5; i < length; i++)
			find[i] = rand() % 2 ? 'a' : 'b';
		char seen[128], expected[128];
		const char *found = strstr(text, find);
		snprintf(expected, sizeof(expected), "%s@100", text);
		if (found)
			snprintf(expected + strlen(expected), 32, "!%d",
				 (int)(101 + 10 * ((size_t)(found - text) + strlen(find) - 1)));
		strcat(expected, ";");
		run(text, find, seen, sizeof(seen));
		cr_assert_str_eq(seen, expected);
	}
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
