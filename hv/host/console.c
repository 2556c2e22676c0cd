/* Console output and input, and the terminal. */
#include "hv/host/console.h"
#include "hv/abi/types.h"
#include "hv/error/check.h"
#include "hv/host/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { CTRL_A = 1 };

static struct termios terminal_before;
static volatile bool terminal_changed;

void console_restore(void)
{
	if (terminal_changed)
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
	terminal_changed = false;
}

static void terminal_rescue(void *context, char *kept, size_t bytes)
{
	(void)context, (void)kept, (void)bytes;
	console_restore();
}

static bool terminal_raw(struct error *error)
{
	static struct check_rescue rescue = {.run = terminal_rescue};
	struct termios raw;
	if (tcgetattr(STDIN_FILENO, &terminal_before) != 0)
		return error_set(error, STATUS_FAILED, "cannot read the terminal's settings: %s", strerror(errno));
	raw = terminal_before;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST; /* the guest's output is shown as it would be elsewhere */
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	terminal_changed = true;
	atexit(console_restore);
	check_rescue_add(&rescue);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0)
		return error_set(error, STATUS_FAILED, "cannot put the terminal into raw mode: %s", strerror(errno));
	return true;
}

bool console_open_output(struct console *console, const char *output, struct error *error)
{
	*console = (struct console){.output_fd = -1, .input_fd = -1};
	if (output && strcmp(output, "none") == 0)
		return true;
	if (!output || strcmp(output, "-") == 0) {
		console->output_fd = STDOUT_FILENO;
		console->on_terminal = isatty(STDOUT_FILENO);
		return true;
	}
	if (!path_replaceable(output, error))
		return false;
	console->output_fd = open(output, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
	if (console->output_fd < 0)
		return error_set(error, STATUS_FAILED, "cannot write the console to %s: %s", output, strerror(errno));
	return true;
}

void console_begin(const struct console *console)
{
	if (console->output_fd != STDOUT_FILENO && ftruncate(console->output_fd, 0) != 0)
		return; /* nowhere, or a pipe or device: nothing to empty */
}

bool console_open_input(struct console *console, const char *input, struct error *error)
{
	bool standard = !input || strcmp(input, "-") == 0;
	if (!input && !isatty(STDIN_FILENO))
		return true;
	if (standard) {
		console->input_fd = STDIN_FILENO;
		console->raw = isatty(STDIN_FILENO);
		return !console->raw || terminal_raw(error);
	}
	console->input_fd = open(input, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (console->input_fd < 0)
		return error_set(error, STATUS_FAILED, "cannot read console input from %s: %s", input, strerror(errno));
	struct stat status;
	if (fstat(console->input_fd, &status) == 0 && S_ISDIR(status.st_mode))
		return error_set(error, STATUS_FAILED, "console input %s is a folder, not a file", input);
	return true;
}

/* How long to wait at most: forever, or to the deadline, rounded up. */
static int wait_ms(const struct console *console)
{
	struct timespec now;
	if (console->deadline_ns == 0)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t left_ns = console->deadline_ns - ((int64_t)now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec);
	if (left_ns <= 0)
		return 0;
	return left_ns / 1000000 < INT_MAX ? (int)(left_ns / 1000000) + 1 : INT_MAX;
}

/* Waits until something can be written. False: a signal or the deadline came first. */
static bool output_ready(const struct console *console)
{
	struct pollfd fds[] = {
		{.fd = console->output_fd, .events = POLLOUT},
		{.fd = console->signal_fd > 0 ? console->signal_fd : -1, .events = POLLIN},
	};
	while (poll(fds, 2, wait_ms(console)) < 0 && errno == EINTR)
		;
	return fds[0].revents != 0;
}

bool console_write(struct console *console, const uint8_t *bytes, size_t count, struct error *error)
{
	console->output_bytes += count;
	while (console->output_fd >= 0 && count > 0) {
		if (!output_ready(console))
			return true; /* the caller sees the signal, and the time, too */
		ssize_t done = write(console->output_fd, bytes, count < PIPE_BUF ? count : PIPE_BUF);
		if (done < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (done < 0)
			return error_set(error, STATUS_FAILED, "cannot write the guest's console: %s", strerror(errno));
		bytes += done;
		count -= (size_t)done;
	}
	return true;
}

static void help(void)
{
	static const char text[] = "\r\nhvrec: Ctrl-A X ends the recording, Ctrl-A H prints this, Ctrl-A Ctrl-A types "
				   "a Ctrl-A\r\n";
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
}

/* Takes the escapes out of what was typed. Returns false at Ctrl-A X. */
static bool escapes_take(struct console *console, uint8_t *bytes, size_t *count)
{
	size_t kept = 0;
	for (size_t i = 0; i < *count; i++) {
		uint8_t byte = bytes[i];
		if (!console->escape && byte == CTRL_A) {
			console->escape = true;
			continue;
		}
		if (console->escape && (byte == 'x' || byte == 'X'))
			return false;
		if (console->escape && (byte == 'h' || byte == 'H'))
			help();
		else
			bytes[kept++] = byte;
		console->escape = false;
	}
	*count = kept;
	return true;
}

enum console_input console_read(struct console *console, uint8_t *bytes, size_t room, size_t *count)
{
	*count = 0;
	ssize_t got = read(console->input_fd, bytes, room);
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return CONSOLE_BYTES;
	if (got <= 0)
		return CONSOLE_ENDED;
	*count = (size_t)got;
	if (console->raw && !escapes_take(console, bytes, count))
		return CONSOLE_QUIT;
	return CONSOLE_BYTES;
}

void console_close_input(struct console *console)
{
	if (console->input_fd > STDERR_FILENO)
		close(console->input_fd);
	console->input_fd = -1;
}

void console_close(struct console *console)
{
	console_restore();
	if (console->output_fd > STDERR_FILENO)
		close(console->output_fd);
	console->output_fd = -1;
	console_close_input(console);
}
