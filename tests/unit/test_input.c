/* Console input line by line: each waits for its prompt, which may come in any pieces; and the search for a text. */
#include "recorder/input.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(input, .timeout = 30);

enum { RING_BYTES = 64 };

static struct hv_mailbox mailbox;
static struct hv_boot boot = {.input_ring_bytes = RING_BYTES};
static uint8_t ring[RING_BYTES];
static struct machine machine = {.boot = &boot, .mailbox = &mailbox, .input = ring};
static struct console console;
static struct input input;
static struct error error;
static int typing = -1; /* the end of the pipe that the user types into */

static void open_with(const char *const *prompts)
{
	int ends[2];
	cr_assert_eq(pipe(ends), 0);
	console = (struct console){.output_fd = -1, .input_fd = ends[0]};
	typing = ends[1];
	cr_assert(input_open(&input, &machine, &console, prompts, &error));
}

static void type(const char *text)
{
	cr_assert_eq(write(typing, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert(input_take(&input));
	input_release(&input);
}

static void type_end(void)
{
	close(typing);
	cr_assert(input_take(&input));
	input_release(&input);
}

static void show(const char *text)
{
	for (; *text; text++)
		cr_assert(input_see(&input, (uint8_t)*text, &error));
	input_release(&input);
}

/* What the guest gets now. */
static const char *taken(void)
{
	static char text[RING_BYTES + 1];
	size_t count = 0;
	for (; mailbox.input_tail != mailbox.input_head; mailbox.input_tail++)
		text[count++] = (char)ring[mailbox.input_tail % RING_BYTES];
	text[count] = 0;
	return text;
}

Test(input, without_prompts_it_goes_at_once)
{
	open_with(NULL);
	type("one\ntw");
	cr_expect_str_eq(taken(), "one\ntw");
	cr_expect_eq(mailbox.input_ended, 0);
	type_end();
	cr_expect_eq(mailbox.input_ended, 1);
	cr_expect_eq(input_fd(&input), -1);
}

Test(input, each_line_waits_for_its_prompt)
{
	static const char *const prompts[] = {"login: ", "word: ", "$ ", NULL};
	open_with(prompts);
	type("root\nsecret\nls\nexit\n");
	cr_expect_str_eq(taken(), "");
	cr_expect_eq(mailbox.input_ended, 1, "a guest that waits now waits for ever");
	show("Debian\nlog");
	show("in:");
	cr_expect_str_eq(taken(), "");
	show(" ");
	cr_expect_str_eq(taken(), "root\n");
	show("$ login: ");
	cr_expect_str_eq(taken(), "");
	show("Password: ");
	cr_expect_str_eq(taken(), "secret\n");
	show("$ ");
	cr_expect_str_eq(taken(), "ls\nexit\n", "the rest comes with the last");
	cr_expect_eq(mailbox.input_ended, 0);
	type_end();
	cr_expect_eq(mailbox.input_ended, 1);
}

Test(input, prompts_before_their_lines_are_not_forgotten)
{
	static const char *const prompts[] = {"> ", "> ", NULL};
	open_with(prompts);
	show("> and > ");
	cr_expect_eq(mailbox.input_ended, 0);
	type("a");
	cr_expect_str_eq(taken(), "a");
	type("\rb\r");
	cr_expect_str_eq(taken(), "\rb\r");
}

Test(input, an_empty_prompt_is_shown_already)
{
	static const char *const prompts[] = {"", "> ", "", NULL};
	open_with(prompts);
	type("a\nb\nc\nd\n");
	cr_expect_str_eq(taken(), "a\n");
	show("> ");
	cr_expect_str_eq(taken(), "b\nc\nd\n");
}

Test(input, a_line_ends_once)
{
	static const char *const prompts[] = {"1", "2", "3", NULL};
	open_with(prompts);
	type("a\r\nb\rc\n");
	show("1");
	cr_expect_str_eq(taken(), "a\r\n");
	show("2");
	cr_expect_str_eq(taken(), "b\r");
	show("3");
	cr_expect_str_eq(taken(), "c\n");
}

Test(input, a_line_feed_on_its_way_belongs_to_its_line)
{
	static const char *const prompts[] = {"1", "2", NULL};
	open_with(prompts);
	show("1");
	type("a\r");
	type("\nb");
	cr_expect_str_eq(taken(), "a\r\n");
}

Test(input, a_full_ring_holds_the_rest_back)
{
	char text[2 * RING_BYTES + 1];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	open_with(NULL);
	type(text);
	cr_expect_eq(strlen(taken()), RING_BYTES);
	cr_expect(input_release(&input));
	cr_expect_eq(strlen(taken()), RING_BYTES);
	cr_expect_not(input_release(&input));
}

Test(input, what_does_not_fit_is_not_read)
{
	static const char *const prompts[] = {"never", NULL};
	char text[INPUT_HELD_BYTES + 1];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	open_with(prompts);
	type(text);
	cr_expect_eq(input_fd(&input), -1);
	show("never");
	cr_expect_eq(input_fd(&input), console.input_fd);
}

Test(input, a_file_is_in_the_ring_before_the_machine_starts)
{
	char path[] = "/tmp/hvrec-test-input-XXXXXX";
	int fd = mkstemp(path);
	unlink(path);
	cr_assert_eq(write(fd, "abc", 3), 3);
	lseek(fd, 0, SEEK_SET);
	console = (struct console){.output_fd = -1, .input_fd = fd};
	cr_assert(input_open(&input, &machine, &console, NULL, &error));
	cr_expect_str_eq(taken(), "abc");
	cr_expect_eq(mailbox.input_ended, 1);
}

Test(input, a_hang_says_what_is_left)
{
	static const char *const prompts[] = {"login: ", NULL};
	char text[256];
	open_with(prompts);
	type("root\n");
	cr_expect(strstr(input_end_text(&input, text, sizeof(text)), "\"login: \""), "%s", text);
	show("login: ");
	cr_expect(strstr(input_end_text(&input, text, sizeof(text)), "not asked"), "%s", text);
	mailbox.final_state.uart.rx_count = 1;
	cr_expect(strstr(input_end_text(&input, text, sizeof(text)), "full"), "%s", text);
	taken();
	type_end();
	cr_expect_str_eq(input_end_text(&input, text, sizeof(text)), "no input is left");
}

/* ---- the search ---- */

/* Against the plain search, over an alphabet of two, where texts overlap with themselves most. */
Test(input, a_text_is_found_wherever_it_is)
{
	for (unsigned turn = 0; turn < 20000; turn++) {
		char text[8] = {0}, stream[33] = {0};
		struct text_watch watch;
		srand(turn);
		for (int i = 0, bytes = 1 + rand() % 7; i < bytes; i++)
			text[i] = (char)('a' + rand() % 2);
		cr_assert(text_watch_open(&watch, text));
		for (size_t i = 0; i < 32; i++) {
			stream[i] = (char)('a' + rand() % 2);
			bool ends = i + 1 >= strlen(text) && strcmp(stream + i + 1 - strlen(text), text) == 0;
			cr_assert_eq(text_watch_byte(&watch, (uint8_t)stream[i]), ends, "%s in %s", text, stream);
		}
		text_watch_close(&watch);
	}
}

Test(input, hv_looks_for_the_last_eight_bytes)
{
	struct text_watch watch;
	cr_assert(text_watch_open(&watch, "=> "));
	cr_expect_eq(text_watch_end(&watch).bytes, 0x3d3e20);
	cr_expect_eq(text_watch_end(&watch).mask, 0xffffff);
	text_watch_close(&watch);
	cr_expect_eq(text_watch_end(&watch).mask, 0);
	cr_assert(text_watch_open(&watch, "0123456789\xff"));
	cr_expect_eq(text_watch_end(&watch).bytes, UINT64_C(0x33343536373839ff));
	cr_expect_eq(text_watch_end(&watch).mask, UINT64_MAX);
	text_watch_close(&watch);
}
