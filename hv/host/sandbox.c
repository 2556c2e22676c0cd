/* Which rules hold for whom. */
#include "hv/host/sandbox.h"
#include "hv/host/machine.h"
#include "hv/host/sandbox_calls.h"
#include "hv/host/sandbox_files.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A trace in WAL mode is read through its -shm, which is made here, because later no file can be. */
static void trace_allow(int ruleset, const char *trace)
{
	char wal[PATH_MAX], shm[PATH_MAX];
	snprintf(wal, sizeof(wal), "%s-wal", trace);
	snprintf(shm, sizeof(shm), "%s-shm", trace);
	if (access(wal, F_OK) != 0)
		return;
	int fd = open(shm, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
	sandbox_ruleset_allow(ruleset, wal, SANDBOX_WRITE);
	sandbox_ruleset_allow(ruleset, shm, SANDBOX_WRITE);
}

static void outputs_allow(int ruleset, const char *outputs)
{
	struct stat status;
	char resolved[PATH_MAX];
	if (stat(outputs, &status) == 0 && S_ISDIR(status.st_mode))
		sandbox_ruleset_allow(ruleset, outputs, SANDBOX_WRITE_FOLDER);
	else
		sandbox_ruleset_allow_folder_of(ruleset, outputs, SANDBOX_WRITE_FOLDER);
	if (realpath(outputs, resolved)) /* a link leads elsewhere */
		sandbox_ruleset_allow_folder_of(ruleset, resolved, SANDBOX_WRITE_FOLDER);
}

static void files_enter(const struct sandbox_files *files)
{
	int ruleset = sandbox_ruleset_make();
	if (ruleset < 0)
		return;
	sandbox_ruleset_allow(ruleset, "/", SANDBOX_READ);
	sandbox_ruleset_allow(ruleset, "/dev/null", SANDBOX_WRITE);
	for (size_t i = 0; i < sizeof(files->traces) / sizeof(files->traces[0]); i++) {
		if (files->traces[i])
			trace_allow(ruleset, files->traces[i]);
	}
	if (files->outputs)
		outputs_allow(ruleset, files->outputs);
	if (files->socket)
		sandbox_ruleset_allow_folder_of(ruleset, files->socket, SANDBOX_MAKE_SOCKET);
	sandbox_ruleset_enter(ruleset);
	close(ruleset);
}

static void calls_enter(unsigned flags)
{
	struct sock_fprog *filter = sandbox_filter_make(flags);
	if (!filter)
		return;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* what the kernel asks of who filters calls without being root */
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, filter);
	sandbox_filter_free(filter);
}

void sandbox_enter(const struct sandbox_files *files, unsigned calls)
{
	if (machine_is_debugged())
		return;
	if (files)
		files_enter(files);
	calls_enter(calls);
}

/* The folder above the program's own: a QEMU that was unpacked somewhere has its libraries and data there. */
static void program_allow(int ruleset, const char *program)
{
	char found[PATH_MAX], resolved[PATH_MAX];
	const char *path = strchr(program, '/') ? "" : getenv("PATH");
	do {
		size_t length = path ? strcspn(path, ":") : 0;
		snprintf(found, sizeof(found), "%.*s%s%s", (int)length, path ? path : "", length > 0 ? "/" : "",
			 program);
		path = path && path[length] ? path + length + 1 : NULL;
	} while (access(found, X_OK) != 0 && path);
	if (!realpath(found, resolved))
		return;
	for (int up = 0; up < 2; up++) {
		char *slash = strrchr(resolved, '/');
		if (slash && slash != resolved)
			*slash = 0;
	}
	sandbox_ruleset_allow(ruleset, resolved, SANDBOX_READ);
}

void sandbox_child_make(struct sandbox_child *child, const char *program, const char *file)
{
	static const char *const system[] = {
		"/usr",         "/bin",       "/lib", "/lib64", "/etc", "/proc", "/sys/devices/system",
		"/dev/urandom", "/dev/random"};
	*child = (struct sandbox_child){.files_fd = -1};
	if (machine_is_debugged())
		return;
	child->calls = sandbox_filter_make(SANDBOX_NO_NETWORK);
	child->files_fd = sandbox_ruleset_make();
	for (size_t i = 0; i < sizeof(system) / sizeof(system[0]); i++)
		sandbox_ruleset_allow(child->files_fd, system[i], SANDBOX_READ);
	sandbox_ruleset_allow(child->files_fd, "/dev/null", SANDBOX_WRITE);
	sandbox_ruleset_allow(child->files_fd, file, SANDBOX_READ);
	program_allow(child->files_fd, program);
}

void sandbox_child_free(struct sandbox_child *child)
{
	if (child->files_fd >= 0)
		close(child->files_fd);
	sandbox_filter_free(child->calls);
	*child = (struct sandbox_child){.files_fd = -1};
}

void sandbox_child_enter(const struct sandbox_child *child)
{
	sandbox_ruleset_enter(child->files_fd);
	if (!child->calls)
		return;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, child->calls);
}
