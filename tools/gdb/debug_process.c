/* Forking, waiting and signals. */
#include "tools/gdb/debug_process.h"
#include "tools/gdb/gdb_session.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char serving[] = "hvrec: serving gdb at";

extern char **environ;

enum {
	NOT_FOUND = 127,     /* as shells say it */
	END_TURNS_MAX = 500, /* of 10 ms */
};

/* What the server process is. Its parent reads its standard error. */
static _Noreturn void serve(const struct gdb_session *session, int output, pid_t parent)
{
	struct error error = {.status = STATUS_OK};
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(STATUS_OK);
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(nothing, STDIN_FILENO);
	dup2(nothing, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	gdb_session_run(session, &error);
	if (error.status != STATUS_OK)
		dprintf(STDERR_FILENO, "%s\n", error.text);
	_exit((int)error.status);
}

bool debug_server_start(struct debug_server *server, const struct gdb_session *session, struct error *error)
{
	int ends[2];
	pid_t parent = getpid();
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_set(error, STATUS_FAILED, "cannot make a pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0)
		serve(session, ends[1], parent);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return error_set(error, STATUS_FAILED, "cannot start the replay: %s", strerror(errno));
	}
	*server = (struct debug_server){.pid = pid, .output = ends[0]};
	return true;
}

/* The next line without its end; false: there is none before the end of the output. */
static bool line_read(int fd, char *line, size_t room)
{
	size_t used = 0;
	char c;
	while (read(fd, &c, 1) == 1 && c != '\n') {
		if (used + 1 < room)
			line[used++] = c;
	}
	line[used] = 0;
	return used > 0;
}

/* The server's wait status. One that does not end in time, for its machine hangs, is killed. */
static int server_end(pid_t pid)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	int status = 0;
	for (int turn = 0; turn < END_TURNS_MAX; turn++) {
		if (waitpid(pid, &status, WNOHANG) != 0)
			return status;
		nanosleep(&pause, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return status;
}

/* Waits for the server's end and reports it with the last line that it printed; `last` is one that was read before. */
static void reap(struct debug_server *server, char last[ERROR_TEXT_BYTES], struct error *error)
{
	char line[ERROR_TEXT_BYTES];
	int status = server_end(server->pid);
	while (line_read(server->output, line, sizeof(line)))
		memcpy(last, line, sizeof(line));
	close(server->output);
	server->pid = 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM)
		error_set(error, STATUS_FAILED, "the replay was killed by signal %d", WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		error_set(error, (enum status)WEXITSTATUS(status), "%s", *last ? last : "the replay failed");
}

bool debug_server_wait(struct debug_server *server, struct error *error)
{
	char line[ERROR_TEXT_BYTES], last[ERROR_TEXT_BYTES] = "";
	while (line_read(server->output, line, sizeof(line))) {
		if (strncmp(line, serving, sizeof(serving) - 1) == 0)
			return true;
		memcpy(last, line, sizeof(line));
	}
	reap(server, last, error);
	return error_set(error, STATUS_FAILED, "the replay ended before gdb could connect");
}

void debug_server_stop(struct debug_server *server, struct error *error)
{
	char last[ERROR_TEXT_BYTES] = "";
	if (server->pid == 0)
		return;
	kill(server->pid, SIGTERM);
	reap(server, last, error);
}

static bool on_path(const char *name)
{
	const char *at = getenv("PATH");
	while (at) {
		char file[4096];
		int bytes = (int)strcspn(at, ":");
		int length = snprintf(file, sizeof(file), "%.*s/%s", bytes, at, name);
		if (length > 0 && (size_t)length < sizeof(file) && access(file, X_OK) == 0)
			return true;
		at = at[bytes] ? at + bytes + 1 : NULL;
	}
	return false;
}

static bool knows_aarch64(const char *gdb)
{
	char *const argv[] = {(char[]){"gdb"},
			      (char[]){"-nx"},
			      (char[]){"-batch"},
			      (char[]){"-ex"},
			      (char[]){"set architecture aarch64"},
			      NULL};
	posix_spawn_file_actions_t files;
	pid_t pid;
	int status = -1;
	posix_spawn_file_actions_init(&files);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
	if (posix_spawnp(&pid, gdb, &files, NULL, argv, environ) == 0)
		waitpid(pid, &status, 0);
	posix_spawn_file_actions_destroy(&files);
	return status == 0;
}

const char *debug_gdb_find(struct error *error)
{
	const char *chosen = getenv("HVREC_GDB");
	if (chosen && *chosen)
		return chosen;
	if (on_path("gdb-multiarch"))
		return "gdb-multiarch";
	if (on_path("gdb") && knows_aarch64("gdb"))
		return "gdb";
	error_set(error, STATUS_FAILED, "there is no gdb for aarch64: install gdb-multiarch, or set HVREC_GDB");
	return NULL;
}

void debug_signals_hold(sigset_t *before)
{
	sigset_t held;
	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGHUP);
	sigprocmask(SIG_BLOCK, &held, before);
}

static bool ended_already(struct error *error)
{
	sigset_t pending;
	sigpending(&pending);
	if (!sigismember(&pending, SIGINT) && !sigismember(&pending, SIGTERM) && !sigismember(&pending, SIGHUP))
		return false;
	error_set(error, STATUS_FAILED, "interrupted");
	return true;
}

/* Until gdb ends: a Ctrl-C is its business alone. */
static int gdb_wait(pid_t pid)
{
	sigset_t awaited;
	int status = 0, number = 0;
	sigemptyset(&awaited);
	sigaddset(&awaited, SIGINT);
	sigaddset(&awaited, SIGTERM);
	sigaddset(&awaited, SIGHUP);
	sigaddset(&awaited, SIGCHLD);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (sigwait(&awaited, &number) == 0 && (number == SIGTERM || number == SIGHUP))
			kill(pid, number);
	}
	return status;
}

bool debug_gdb_run(char *const *argv, const sigset_t *before, struct error *error)
{
	sigset_t child_ends;
	if (ended_already(error))
		return false;
	sigemptyset(&child_ends);
	sigaddset(&child_ends, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child_ends, NULL);
	pid_t pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, before, NULL);
		execvp(argv[0], argv);
		_exit(NOT_FOUND);
	}
	if (pid < 0)
		return error_set(error, STATUS_FAILED, "cannot start %s: %s", argv[0], strerror(errno));
	int status = gdb_wait(pid);
	if (WIFSIGNALED(status))
		return error_set(error, STATUS_FAILED, "%s was killed by signal %d", argv[0], WTERMSIG(status));
	if (WEXITSTATUS(status) == NOT_FOUND)
		return error_set(error, STATUS_FAILED, "cannot run %s: no such program", argv[0]);
	return WEXITSTATUS(status) == 0 ||
	       error_set(error, STATUS_FAILED, "%s ended with status %d", argv[0], WEXITSTATUS(status));
}
