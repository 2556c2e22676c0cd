/* The user's side of a run: signals, the progress line, console bytes, the console's ends and the terminal. */
#include "hv/host/event_console.h"
#include "hv/host/session.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

TestSuite(session, .timeout = 900);

/* ---- console input ---- */

/* What the guest gets of `typed`, read in pieces of `room`; stops at CONSOLE_QUIT or the end, which it returns. */
static enum console_input read_all(bool raw, const char *typed, size_t room, char *got)
{
	int ends[2];
	struct console console = {.raw = raw, .output_fd = -1};
	enum console_input answer = CONSOLE_BYTES;
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], typed, strlen(typed)), (ssize_t)strlen(typed));
	close(ends[1]);
	console.input_fd = ends[0];
	*got = 0;
	while (answer == CONSOLE_BYTES) {
		uint8_t bytes[64];
		size_t count = 0;
		answer = console_read(&console, bytes, room, &count);
		if (answer == CONSOLE_BYTES)
			strncat(got, (const char *)bytes, count);
	}
	close(ends[0]);
	return answer;
}

Test(session, escapes_are_taken_out_of_what_is_typed)
{
	static const struct {
		const char *typed, *got;
		enum console_input end;
	} cases[] = {
		{"abc", "abc", CONSOLE_ENDED},         {"a\001\001b", "a\001b", CONSOLE_ENDED},
		{"a\001hb", "ab", CONSOLE_ENDED},      {"\001Hb", "b", CONSOLE_ENDED},
		{"\001x", "", CONSOLE_QUIT},           {"\001Xlater", "", CONSOLE_QUIT},
		{"\001zx", "zx", CONSOLE_ENDED},       {"xhXH", "xhXH", CONSOLE_ENDED},
		{"\001\001x", "\001x", CONSOLE_ENDED}, {"a\001", "a", CONSOLE_ENDED},
	};
	cr_assert_eq(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO), STDERR_FILENO); /* for what Ctrl-A H prints */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t room = 1; room <= 64; room += 63) {
			char got[128];
			cr_expect_eq(read_all(true, cases[i].typed, room, got), cases[i].end, "case %zu", i);
			cr_expect_str_eq(got, cases[i].got, "case %zu, %zu bytes at a time: %s", i, room, got);
		}
	}
}

Test(session, input_from_a_file_has_no_escapes)
{
	char got[128];
	cr_assert_eq(read_all(false, "\001x\001h", 64, got), CONSOLE_ENDED);
	cr_assert_str_eq(got, "\001x\001h");
}

Test(session, no_input_yet_is_not_its_end)
{
	int ends[2];
	struct console console = {.output_fd = -1};
	uint8_t bytes[4];
	size_t count = 9;
	cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
	console.input_fd = ends[0];
	cr_assert_eq(console_read(&console, bytes, sizeof(bytes), &count), CONSOLE_BYTES);
	cr_assert_eq(count, 0);
}

Test(session, a_missing_input_file_is_named)
{
	struct console console = {.output_fd = -1, .input_fd = -1};
	struct error error = {0};
	cr_assert_not(console_open_input(&console, "/nowhere/input", &error));
	cr_assert(strstr(error.text, "/nowhere/input"));
	cr_assert_eq(error.status, STATUS_FAILED);
}

/* ---- the terminal ---- */

Test(session, the_terminal_is_raw_while_it_is_open_and_then_as_before)
{
	struct termios before, during, after;
	struct console console = {.output_fd = -1, .input_fd = -1};
	struct error error = {0};
	int master, slave;
	cr_assert_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
	cr_assert_eq(dup2(slave, STDIN_FILENO), STDIN_FILENO);
	cr_assert_eq(tcgetattr(slave, &before), 0);
	cr_assert(console_open_input(&console, NULL, &error), "%s", error.text);
	cr_assert(console.raw);
	cr_assert_eq(tcgetattr(slave, &during), 0);
	cr_assert_eq(during.c_lflag & (ICANON | ECHO | ISIG), 0);
	cr_assert(during.c_oflag & OPOST);
	cr_assert_eq(write(master, "q\001x", 3), 3);
	uint8_t bytes[8];
	size_t count;
	cr_assert_eq(console_read(&console, bytes, sizeof(bytes), &count), CONSOLE_QUIT);
	console_close(&console);
	cr_assert_eq(tcgetattr(slave, &after), 0);
	cr_assert_eq(after.c_lflag, before.c_lflag);
	cr_assert_eq(after.c_iflag, before.c_iflag);
	cr_assert_eq(after.c_oflag, before.c_oflag);
	console_restore(); /* nothing left to do */
}

Test(session, without_a_terminal_there_is_no_input)
{
	struct console console = {.output_fd = -1, .input_fd = -1};
	struct error error = {0};
	int null = open("/dev/null", O_RDONLY);
	cr_assert_eq(dup2(null, STDIN_FILENO), STDIN_FILENO);
	cr_assert(console_open_input(&console, NULL, &error));
	cr_assert_eq(console.input_fd, -1);
	cr_assert(console_open_input(&console, "-", &error));
	cr_assert_eq(console.input_fd, STDIN_FILENO);
	cr_assert_not(console.raw);
}

/* ---- console output ---- */

Test(session, output_goes_to_its_file_or_nowhere)
{
	char path[] = "/tmp/hvrec-test-console-XXXXXX", text[16] = {0};
	struct console console;
	struct error error = {0};
	int fd = mkstemp(path);
	cr_assert_eq(pwrite(fd, "of before", 9, 0), 9);
	cr_assert(console_open_output(&console, path, &error));
	console_close(&console);
	cr_assert_eq(pread(fd, text, sizeof(text), 0), 9, "not begun, it stays");
	memset(text, 0, sizeof(text));
	cr_assert(console_open_output(&console, path, &error));
	console_begin(&console);
	cr_assert(console_write(&console, (const uint8_t *)"hello", 5, &error));
	console_close(&console);
	cr_assert_eq(read(fd, text, sizeof(text)), 5);
	cr_assert_str_eq(text, "hello");
	unlink(path);
	cr_assert(console_open_output(&console, "none", &error));
	cr_assert(console_write(&console, (const uint8_t *)"hello", 5, &error));
	cr_assert_eq(console.output_bytes, 5, "counted all the same");
	cr_assert_not(console_open_output(&console, "/nowhere/console", &error));
	cr_assert(strstr(error.text, "/nowhere/console"));
}

Test(session, a_closed_pipe_is_an_error)
{
	int ends[2];
	struct error error = {0};
	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(pipe(ends), 0);
	close(ends[0]);
	struct console console = {.output_fd = ends[1], .input_fd = -1};
	cr_assert_not(console_write(&console, (const uint8_t *)"x", 1, &error));
	cr_assert_eq(error.status, STATUS_FAILED);
}

Test(session, console_bytes_are_the_writes_of_the_data_register)
{
	static const struct event events[] = {
		{.kind = EVENT_MMIO_WRITE, .address = GUEST_UART_IPA, .value = 'a', .size = 1},
		{.kind = EVENT_MMIO_WRITE, .address = GUEST_UART_IPA + 4, .value = 'b', .size = 4},
		{.kind = EVENT_MMIO_READ, .address = GUEST_UART_IPA, .value = 'c', .size = 4},
		{.kind = EVENT_INPUT, .address = GUEST_UART_IPA, .value = 'd'},
		{.kind = EVENT_MMIO_WRITE, .address = GUEST_UART_IPA, .value = 0x1265, .size = 4},
	};
	uint8_t bytes[5];
	cr_assert_eq(event_console_bytes(events, 5, bytes), 2);
	cr_assert_eq(memcmp(bytes, "ae", 2), 0);
	cr_assert_eq(event_console_bytes(events, 0, bytes), 0);
}

/* ---- signals and progress ---- */

Test(session, signals_wait_to_be_taken)
{
	struct error error = {0};
	int fd = session_signals(&error);
	cr_assert_geq(fd, 0, "%s", error.text);
	cr_assert_eq(session_signal_take(fd), 0);
	raise(SIGINT);
	raise(SIGTERM);
	cr_assert_eq(session_signal_take(fd), SIGINT);
	cr_assert_eq(session_signal_take(fd), SIGTERM);
	cr_assert_eq(session_signal_take(fd), 0);
}

Test(session, progress_goes_to_a_terminal_only)
{
	static struct hv_mailbox mailbox;
	const struct machine machine = {.mailbox = &mailbox};
	struct progress progress;
	int master, slave, null = open("/dev/null", O_WRONLY);
	char text[256] = {0};
	cr_assert_eq(dup2(null, STDERR_FILENO), STDERR_FILENO);
	progress_start(&progress, true, 0);
	cr_assert_not(progress.shown);
	cr_assert_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
	cr_assert_eq(dup2(slave, STDERR_FILENO), STDERR_FILENO);
	progress_start(&progress, false, 0);
	cr_assert_not(progress.shown);
	progress_start(&progress, true, 4000000000);
	cr_assert(progress.shown);
	mailbox.now_n = 1000000000;
	mailbox.now_ns = 2500000000;
	progress.last_ns -= 1000000000;
	progress.start_ns -= 100000000000;
	progress_update(&progress, &machine);
	progress_end(&progress);
	for (size_t used = 0; used < sizeof(text) - 1 && !strstr(text, "left");) { /* a terminal gives what it has */
		ssize_t got = read(master, text + used, sizeof(text) - 1 - used);
		cr_assert_gt(got, 0);
		used += (size_t)got;
	}
	cr_assert(strstr(text, "1.000 G instructions"), "%s", text);
	cr_assert(strstr(text, "2.500 s"), "%s", text);
	cr_assert(strstr(text, "25 %"), "%s", text);
	cr_assert(strstr(text, "300 s left"), "%s", text);
}
