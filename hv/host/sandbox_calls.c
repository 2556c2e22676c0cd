/* A call that is denied fails with EPERM; clone3, whose arguments a filter cannot see, is said not to exist, so that
 * the C library falls back to clone. */
#include "hv/host/sandbox_calls.h"
#include "hv/host/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names that a kernel or a libseccomp does not know are passed over. */
static const char *const network[] = {"socket", "connect", "bind", "listen", "socketcall"};
static const char *const processes[] = {"fork", "vfork", "execve", "execveat"};
static const char *const never[] = {
	/* into other processes */
	"ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "process_madvise",
	/* what administers the system */
	"mount", "umount2", "move_mount", "open_tree", "fsopen", "fsmount", "fsconfig", "fspick", "pivot_root",
	"chroot", "unshare", "setns", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load",
	"reboot", "swapon", "swapoff", "acct", "quotactl", "sethostname", "setdomainname", "settimeofday",
	"clock_settime", "clock_adjtime", "adjtimex", "syslog", "iopl", "ioperm",
	/* wide doors into the kernel */
	"bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "add_key", "request_key", "keyctl",
	"open_by_handle_at", "name_to_handle_at"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool deny(scmp_filter_ctx context, const char *const names[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);
		if (number != __NR_SCMP_ERROR && seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), number, 0) != 0)
			return false;
	}
	return true;
}

/* Threads are started by clone, too. */
static bool deny_processes(scmp_filter_ctx context)
{
	return deny(context, processes, COUNT(processes)) &&
	       seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
	       seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) == 0;
}

/* libseccomp writes a filter into a file only. */
static struct sock_fprog *filter_export(scmp_filter_ctx context)
{
	struct stat status;
	struct sock_fprog *filter = NULL;
	int fd = memfd_create("hvrec-filter", MFD_CLOEXEC);
	if (fd >= 0 && seccomp_export_bpf(context, fd) == 0 && fstat(fd, &status) == 0 && status.st_size > 0)
		filter = malloc(sizeof(*filter) + (size_t)status.st_size);
	if (filter) {
		filter->filter = (struct sock_filter *)(void *)(filter + 1);
		filter->len = (unsigned short)((size_t)status.st_size / sizeof(*filter->filter));
		if (pread(fd, filter->filter, (size_t)status.st_size, 0) != status.st_size) {
			free(filter);
			filter = NULL;
		}
	}
	if (fd >= 0)
		close(fd);
	return filter;
}

struct sock_fprog *sandbox_filter_make(unsigned flags)
{
	struct sock_fprog *filter = NULL;
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
	if (!context)
		return NULL;
	if (deny(context, never, COUNT(never)) &&
	    (!(flags & SANDBOX_NO_NETWORK) || deny(context, network, COUNT(network))) &&
	    (!(flags & SANDBOX_NO_PROCESSES) || deny_processes(context)))
		filter = filter_export(context);
	seccomp_release(context);
	return filter;
}

void sandbox_filter_free(struct sock_fprog *filter)
{
	free(filter);
}
