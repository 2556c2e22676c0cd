/* The stub against the real gdb, over a unix socket, with the toy target: what gdb makes of it, forwards and backwards.
 * Skipped where no gdb for AArch64 is installed. Each test is a gdb script and the lines that gdb must print, in order.
 */
#include "gdbstub/server.h"
#include "tests/unit/gdbstub_client.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { OUTPUT_BYTES = 1 << 18, ARGUMENT_COUNT_MAX = 80 };

static struct toy toy;
static char folder[] = "/tmp/test-gdbstub-gdb-XXXXXX";
static char path[64], address[80], log_path[64], target[96];
static char output[OUTPUT_BYTES];
static uint32_t slice_insns;

static void open_toy(void)
{
	toy_open(&toy, &toy_ops, 200000);
	gdbstub_disconnect(toy.stub);
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/socket", folder);
	snprintf(log_path, sizeof log_path, "%s/log", folder);
	snprintf(address, sizeof address, "unix:%s", path);
	slice_insns = 1000;
}

static void close_toy(void)
{
	toy_close(&toy);
	unlink(log_path);
	rmdir(folder);
}

TestSuite(gdbstub_gdb, .init = open_toy, .fini = close_toy, .timeout = 900);

static const char *find_gdb(void)
{
	static const char *const names[] = {"/usr/bin/gdb-multiarch", "/usr/bin/aarch64-linux-gnu-gdb"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (access(names[i], X_OK) == 0)
			return names[i];
	}
	return NULL;
}

static pid_t start_gdb(const char *gdb, const char *const *commands, size_t count)
{
	const char *arguments[ARGUMENT_COUNT_MAX] = {gdb, "-nx", "-batch", "-ex", "set confirm off", "-ex", target};
	posix_spawn_file_actions_t actions;
	size_t used = 7;
	pid_t pid;

	cr_assert_leq(2 * count + used + 1, (size_t)ARGUMENT_COUNT_MAX);
	for (size_t i = 0; i < count; i++) {
		arguments[used++] = "-ex";
		arguments[used++] = commands[i];
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log_path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
	cr_assert_eq(posix_spawn(&pid, gdb, &actions, NULL, (char *const *)arguments, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* The caller's loop, as server.h has it. */
static void serve_until_exit(struct server *server, pid_t pid)
{
	struct pollfd fds[SERVER_FD_COUNT_MAX];
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		const nfds_t count = server_poll(server, fds);

		poll(fds, count, gdbstub_is_busy(toy.stub) ? 1 : 20);
		server_service(server, fds, count);
		toy_run(&toy, slice_insns);
	}
}

/* Runs gdb with these commands. False: there is none. */
static bool run_gdb(const char *mode, const char *const *commands, size_t count)
{
	const char *gdb = find_gdb();
	struct error error = {0};

	if (!gdb)
		return false;
	snprintf(target, sizeof target, "target %s %s", mode, path);
	struct server *server = server_open(address, false, toy.stub, &error);
	cr_assert(server, "%s", error.text);
	serve_until_exit(server, start_gdb(gdb, commands, count));
	server_close(server);
	const int fd = open(log_path, O_RDONLY);
	const ssize_t bytes = read(fd, output, sizeof output - 1);
	close(fd);
	output[bytes > 0 ? bytes : 0] = '\0';
	return true;
}

static void expect_in_order(const char *const *texts, size_t count)
{
	const char *at = output;

	for (size_t i = 0; i < count; i++) {
		const char *found = strstr(at, texts[i]);

		cr_assert(found, "'%s' is missing or out of order in:\n%s", texts[i], output);
		at = found + strlen(texts[i]);
	}
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define GDB(mode, ...)                                                                                                 \
	do {                                                                                                           \
		const char *const commands_[] = {__VA_ARGS__};                                                         \
		if (!run_gdb(mode, commands_, COUNT(commands_)))                                                       \
			cr_skip_test("no gdb for AArch64");                                                            \
	} while (0)
#define EXPECT(...)                                                                                                    \
	do {                                                                                                           \
		const char *const texts_[] = {__VA_ARGS__};                                                            \
		expect_in_order(texts_, COUNT(texts_));                                                                \
	} while (0)

#define PRINT_PLACE "printf \"at %#lx turn %ld\\n\", $pc, $x0"

Test(gdbstub_gdb, registers_and_groups)
{
	GDB("remote", "info registers", "info registers mmu", "p $v0.d.u", "p/x $VBAR_EL1", "set var $x5 = 0x1234",
	    "p/x $x5", "set var $TTBR0_EL1 = 0x55", "p/x $TTBR0_EL1", "p $cpsr", "set var $v1.d.u[1] = 7",
	    "p $v1.d.u[1]", "info threads", "thread 2", "p/x $pc", "p $PMSELR_EL0");
	EXPECT("x0 ", "x30 ", "pc             0x40080000", "cpsr", "TTBR0_EL1", "{8738, 81985529216486895}",
	       "$2 = ", "$3 = 0x1234", "$4 = 0x55", "EL=1", "$6 = 7", "vcpu0", "EL1 <runs>", "vcpu1", "EL1 <off>",
	       "[Switching to thread 2", "$7 = 0x40080000", "<unavailable>");
	cr_expect_eq(toy.regs[0][GDB_REG_x5].low, 0x1234);
	cr_expect_eq(toy.regs[0][GDB_REG_ttbr0_el1].low, 0x55);
	cr_expect_eq(toy.regs[0][GDB_REG_v1].high, 7);
	cr_expect_eq(toy.detach_count, 2);
}

Test(gdbstub_gdb, memory_and_its_errors)
{
	struct target_ops ops = toy_ops;
	const char *const commands[] = {"x/2wx 0x40080000",
					"x/gx 0x10",
					"set var *(long *)0x40080900 = 0x1122334455667788",
					"x/gx 0x40080900",
					"x/4gx 0x40081ff0",
					"set var *(int *)0 = 1",
					"x/i $pc",
					"maint packet Qqemu.PhyMemMode:1",
					"x/wx 0"};

	ops.memory_map = NULL; /* gdb would refuse on its own */
	toy_close(&toy);
	toy_open(&toy, &ops, 1000);
	gdbstub_disconnect(toy.stub);
	if (!run_gdb("remote", commands, COUNT(commands)))
		cr_skip_test("no gdb for AArch64");
	EXPECT("0xd2800000", "0xd2a80101", "Cannot access memory at address 0x10", "0x1122334455667788", "0x40081ff0",
	       "Cannot access memory at address 0x40082000", "Cannot access memory at address 0x0", "mov",
	       "0xd2800000");
}

Test(gdbstub_gdb, breakpoints_in_both_directions)
{
	GDB("remote", "break *0x40080018", "continue", "continue", PRINT_PLACE, "reverse-continue", PRINT_PLACE,
	    "reverse-continue", PRINT_PLACE, "delete", "hbreak *0x40080014", "continue", PRINT_PLACE);
	EXPECT("Breakpoint 1", "Breakpoint 1", "at 0x40080018 turn 2", "Breakpoint 1", "at 0x40080018 turn 1",
	       "No more reverse-execution history", "at 0x40080000 turn", "Breakpoint 2", "at 0x40080014 turn 1");
}

Test(gdbstub_gdb, conditions_that_gdb_sends)
{
	GDB("remote", "break *0x40080018 if $x0 == 500 || *(long *)0x40080800 == 700", "continue", PRINT_PLACE,
	    "continue", PRINT_PLACE, "reverse-continue", PRINT_PLACE,
	    "condition 1 ($x0 % 7 == 3 && ($x0 >> 2) * 3 - 1 > 60) != 0", "reverse-continue", PRINT_PLACE,
	    "condition 1 *(unsigned char *)($x1 + 1) == 1 && (int)$x2 < 300 && !($x0 & 15)", "reverse-continue",
	    PRINT_PLACE, "condition 1 ((short)$x0 == -1 ? 1 : (~$x0 & 0xff) == 0x7f)", "continue", PRINT_PLACE);
	EXPECT("at 0x40080018 turn 500", "at 0x40080018 turn 700", "at 0x40080018 turn 500", "at 0x40080018 turn 493",
	       "at 0x40080018 turn 288", "at 0x40080018 turn 384");
	/* Every false one was decided in the stub: gdb was asked to go on a handful of times. */
	cr_expect_gt(toy.want_count, 1000);
	cr_expect_lt(toy.resume_count, 20);
}

Test(gdbstub_gdb, watchpoints_in_both_directions)
{
	GDB("remote", "watch *(long *)0x40080800", "continue", "continue", "continue", PRINT_PLACE, "reverse-continue",
	    PRINT_PLACE, "reverse-continue", PRINT_PLACE, "delete", "rwatch *(long *)0x40080800", "continue",
	    PRINT_PLACE, "delete", "awatch *(long *)0x40080800", "continue", PRINT_PLACE, "reverse-continue",
	    PRINT_PLACE);
	EXPECT("Old value = 0", "New value = 1", "Old value = 1", "New value = 2", "Old value = 2", "New value = 3",
	       "at 0x40080014 turn 3", "Old value = 3", "New value = 2", "at 0x40080010 turn 3", "Old value = 2",
	       "New value = 1", "at 0x40080010 turn 2", "Value = 2", "at 0x40080018 turn 2", "Old value = 2",
	       "New value = 3", "at 0x40080014 turn 3", "Old value = 3", "New value = 2", "at 0x40080010 turn 3");
}

Test(gdbstub_gdb, steps_in_both_directions)
{
	GDB("remote", "stepi 40", PRINT_PLACE, "p $pc", "reverse-stepi 17", PRINT_PLACE, "reverse-stepi 40",
	    PRINT_PLACE, "stepi", PRINT_PLACE);
	EXPECT("at 0x40080014 turn 8", "at 0x4008000c turn 4", "No more reverse-execution history", "at 0x40080000",
	       "at 0x40080004 turn 0");
	cr_expect_eq(toy.n, 1);
}

Test(gdbstub_gdb, the_end_of_the_recording)
{
	GDB("remote", "continue", PRINT_PLACE, "reverse-stepi", PRINT_PLACE, "reverse-continue", PRINT_PLACE);
	EXPECT("No more reverse-execution history", "turn", "at 0x", "No more reverse-execution history",
	       "at 0x40080000");
	cr_expect_eq(toy.n, 0);
}

/* While gdb runs the target, its shell sends it SIGINT, as a terminal would. */
#define INTERRUPT_AFTER(seconds) "shell (sleep " seconds "; kill -INT $PPID) &"

Test(gdbstub_gdb, interrupts_in_both_directions)
{
	slice_insns = 20;
	GDB("remote", INTERRUPT_AFTER("2"), "continue", PRINT_PLACE, INTERRUPT_AFTER("0.7"), "reverse-continue",
	    PRINT_PLACE, "stepi", PRINT_PLACE);
	EXPECT("received signal SIGINT", "at 0x400800", "received signal SIGINT", "at 0x400800", "at 0x400800");
	cr_expect(toy.n > 0 && toy.n < toy.n_max);
}

Test(gdbstub_gdb, monitor_commands)
{
	GDB("remote", "monitor hello there", "monitor later", "monitor seek 8", "maintenance flush register-cache",
	    "p/x $pc", "monitor fail", "stepi", "p/x $pc");
	EXPECT("hello there at 0", "done", "seek 8 at 8", "$1 = 0x4008000c", "fail at 8", "$2 = 0x40080010");
}

Test(gdbstub_gdb, run_restarts_in_extended_mode)
{
	GDB("extended-remote", "stepi 20", "break *0x40080018", "run", PRINT_PLACE, "stepi", PRINT_PLACE, "detach");
	EXPECT("at 0x40080018 turn 1", "at 0x4008001c turn 1");
	cr_expect_eq(toy.restart_count, 1);
	cr_expect_eq(toy.kill_count, 0);
}

Test(gdbstub_gdb, kill_and_reconnect)
{
	GDB("remote", "stepi", "detach", target, "break *0x40080018", "continue", PRINT_PLACE, "kill");
	EXPECT("[Inferior 1 (Remote target) detached]", "at 0x40080018 turn 1", "[Inferior 1 (Remote target) killed]");
	cr_expect_eq(toy.kill_count, 1);
	cr_expect_eq(toy.break_count, 0);
}
