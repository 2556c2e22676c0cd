/* Starts QEMU, the virt board with an instruction clock, watches it, ends it. */
#include "hv/host/machine_process.h"
#include "hv/host/path.h"
#include "hv/host/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* QEMU gives up further calls itself, when it has started: among them executing programs, which starting needs. */
#define QEMU_SANDBOX "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

const char *machine_process_program(void)
{
	const char *named = getenv("HVREC_QEMU");
	return named && *named ? named : "qemu-system-aarch64";
}

/* In the child: nothing of the parent's but what the machine needs, and no life of its own. */
static _Noreturn void child_run(const struct machine *machine, int doorbell_fd, const char *hv_image, pid_t parent,
				const struct sandbox_child *sandbox)
{
	char memory[64], backend[160], doorbell[64], cpus[16];
	int null_fd = open("/dev/null", O_RDWR);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || null_fd < 0)
		_exit(127);
	setsid(); /* a Ctrl-C at the terminal is hvrec's, not the machine's */
	dup2(null_fd, STDIN_FILENO);
	dup2(machine->log_fd, STDOUT_FILENO);
	dup2(machine->log_fd, STDERR_FILENO);
	fcntl(doorbell_fd, F_SETFD, 0);
	snprintf(memory, sizeof(memory), "%lluM", (unsigned long long)(machine->ram_bytes >> 20));
	snprintf(backend, sizeof(backend), "memory-backend-file,id=ram,mem-path=/proc/self/fd/%d,share=on,size=%lluM",
		 machine->ram_fd, (unsigned long long)(machine->ram_bytes >> 20));
	snprintf(doorbell, sizeof(doorbell), "socket,id=doorbell,fd=%d", doorbell_fd);
	snprintf(cpus, sizeof(cpus), "%u", machine->boot->vcpu_count); /* each vCPU has a CPU of its own */
	const char *program = machine_process_program();
	const char *const arguments[] = {program,
					 "-M",
					 "virt,virtualization=on,gic-version=3,memory-backend=ram",
					 "-cpu",
					 "neoverse-n1",
					 "-smp",
					 cpus,
					 "-icount",
					 "shift=0,sleep=off",
					 "-m",
					 memory,
					 "-object",
					 backend,
					 "-chardev",
					 doorbell,
					 "-serial",
					 "chardev:doorbell",
					 "-kernel",
					 hv_image,
					 "-display",
					 "none",
					 "-monitor",
					 "none",
					 "-nodefaults",
					 "-no-user-config",
					 "-no-reboot",
					 "-sandbox",
					 machine_is_debugged() ? "off" : QEMU_SANDBOX,
					 NULL};
	sandbox_child_enter(sandbox);
	execvp(program, (char *const *)(uintptr_t)arguments);
	fprintf(stderr, "%s: %s; install the package qemu-system-arm, or name the program by --qemu\n", program,
		strerror(errno));
	_exit(127);
}

bool machine_process_start(struct machine *machine, struct error *error)
{
	int ends[2];
	char *hv_image = path_hv_image(error);
	if (!hv_image)
		return false;
	machine->log_fd = memfd_create("hvrec-machine-log", MFD_CLOEXEC);
	if (machine->log_fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		free(hv_image);
		return error_set(error, STATUS_FAILED, "cannot make the machine's doorbell: %s", strerror(errno));
	}
	struct sandbox_child sandbox;
	sandbox_child_make(&sandbox, machine_process_program(), hv_image);
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0)
		child_run(machine, ends[1], hv_image, parent, &sandbox);
	sandbox_child_free(&sandbox);
	free(hv_image);
	close(ends[1]);
	machine->doorbell_fd = ends[0];
	if (pid < 0)
		return error_set(error, STATUS_FAILED, "cannot start the machine: %s", strerror(errno));
	machine->pid = pid;
	return true;
}

/* The last line that the machine printed, or "" . */
static void log_last_line(const struct machine *machine, char *line, size_t bytes)
{
	char text[4096];
	off_t end = lseek(machine->log_fd, 0, SEEK_END);
	off_t start = end > (off_t)sizeof(text) - 1 ? end - (off_t)sizeof(text) + 1 : 0;
	ssize_t got = pread(machine->log_fd, text, sizeof(text) - 1, start);
	text[got > 0 ? got : 0] = 0;
	for (size_t length = strlen(text); length > 0 && text[length - 1] == '\n'; length--)
		text[length - 1] = 0;
	const char *last = strrchr(text, '\n');
	snprintf(line, bytes, "%.*s", (int)bytes - 1, last ? last + 1 : text);
}

bool machine_running(struct machine *machine, struct error *error)
{
	int status = 0;
	char line[512];
	if (machine->pid != 0 && waitpid(machine->pid, &status, WNOHANG) == 0)
		return true;
	machine->pid = 0;
	log_last_line(machine, line, sizeof(line));
	if (WIFSIGNALED(status))
		return error_set(error, STATUS_FAILED, "the machine (QEMU) was killed by signal %d (%s)%s%s",
				 WTERMSIG(status), strsignal(WTERMSIG(status)), *line ? ": " : "", line);
	return error_set(error, STATUS_FAILED, "the machine (QEMU) ended with status %d%s%s", WEXITSTATUS(status),
			 *line ? ": " : "", line);
}

uint64_t machine_process_cpu_ticks(const struct machine *machine)
{
	char path[64], text[512] = "";
	unsigned long long user = 0, system = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)machine->pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	size_t got = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[got] = 0;
	const char *fields = strrchr(text, ')'); /* the name before it may hold anything */
	for (int field = 2; fields && field < 14; field++)
		fields = strchr(fields + 1, ' ');
	char *end;
	if (fields) {
		user = strtoull(fields, &end, 10);
		system = strtoull(end, NULL, 10);
	}
	return user + system;
}

void machine_process_end(struct machine *machine)
{
	if (machine->pid == 0)
		return;
	kill(machine->pid, SIGKILL);
	while (waitpid(machine->pid, NULL, 0) < 0 && errno == EINTR)
		;
	machine->pid = 0;
}

char *machine_process_version(void)
{
	char line[256];
	int log_fd = memfd_create("hvrec-machine-version", MFD_CLOEXEC);
	pid_t pid = log_fd < 0 ? -1 : fork();
	if (pid == 0) {
		const char *const arguments[] = {machine_process_program(), "--version", NULL};
		sigset_t none;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		dup2(log_fd, STDOUT_FILENO);
		execvp(arguments[0], (char *const *)(uintptr_t)arguments);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	ssize_t got = log_fd < 0 ? -1 : pread(log_fd, line, sizeof(line) - 1, 0);
	if (log_fd >= 0)
		close(log_fd);
	if (got <= 0)
		return NULL;
	line[got] = 0;
	line[strcspn(line, "\n")] = 0;
	return strdup(line);
}
