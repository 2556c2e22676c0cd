/* Landlock has no library in Debian 12; it is three system calls. Its header there is older than many kernels, so the
 * newer rights are named here. A right that a kernel does not know may not be asked for: its version (ABI) says which
 * it does. */
#include "hv/host/sandbox_files.h"

#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RIGHT_REFER     (UINT64_C(1) << 13) /* ABI 2 */
#define RIGHT_TRUNCATE  (UINT64_C(1) << 14) /* ABI 3 */
#define RIGHT_IOCTL_DEV (UINT64_C(1) << 15) /* ABI 5 */
#define SCOPE_ALL       UINT64_C(3)         /* ABI 6: abstract sockets and signals of those outside */

#define RIGHTS_READ                                                                                                    \
	((uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR))
#define RIGHTS_WRITE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE)
#define RIGHTS_WRITE_FOLDER                                                                                            \
	(RIGHTS_WRITE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |   \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | RIGHT_REFER | RIGHT_IOCTL_DEV)
#define RIGHTS_SOCKET ((uint64_t)(LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE))
/* What the oldest version knows: execute to make symbolic links. */
#define RIGHTS_ABI_1 ((UINT64_C(1) << 13) - 1)
/* What a file that is no folder may have. */
#define RIGHTS_OF_FILE                                                                                                 \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE |  \
	 RIGHT_IOCTL_DEV)

/* struct landlock_ruleset_attr of ABI 6; an older kernel takes the part that it knows. */
struct ruleset {
	uint64_t files, network, scope;
};

static int abi(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static uint64_t rights_known(int version)
{
	return RIGHTS_ABI_1 | (version >= 2 ? RIGHT_REFER : 0) | (version >= 3 ? RIGHT_TRUNCATE : 0) |
	       (version >= 5 ? RIGHT_IOCTL_DEV : 0);
}

int sandbox_ruleset_make(void)
{
	int version = abi();
	if (version < 1)
		return -1;
	struct ruleset ruleset = {.files = rights_known(version), .scope = version >= 6 ? SCOPE_ALL : 0};
	size_t bytes = version >= 6 ? sizeof(ruleset) : sizeof(ruleset.files);
	return (int)syscall(SYS_landlock_create_ruleset, &ruleset, bytes, 0);
}

static uint64_t rights(enum sandbox_access access)
{
	switch (access) {
	case SANDBOX_READ:
		return RIGHTS_READ;
	case SANDBOX_WRITE:
		return RIGHTS_WRITE;
	case SANDBOX_WRITE_FOLDER:
		return RIGHTS_WRITE_FOLDER;
	case SANDBOX_MAKE_SOCKET:
	default:
		return RIGHTS_SOCKET;
	}
}

void sandbox_ruleset_allow(int ruleset, const char *path, enum sandbox_access access)
{
	struct stat status;
	struct landlock_path_beneath_attr rule = {.parent_fd = open(path, O_PATH | O_CLOEXEC)};
	if (ruleset < 0 || rule.parent_fd < 0)
		return;
	rule.allowed_access = rights(access) & rights_known(abi());
	if (fstat(rule.parent_fd, &status) == 0 && !S_ISDIR(status.st_mode))
		rule.allowed_access &= RIGHTS_OF_FILE;
	syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
}

void sandbox_ruleset_allow_folder_of(int ruleset, const char *path, enum sandbox_access access)
{
	char *copy = strdup(path);
	if (copy)
		sandbox_ruleset_allow(ruleset, dirname(copy), access);
	free(copy);
}

void sandbox_ruleset_enter(int ruleset)
{
	if (ruleset < 0)
		return;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* who is confined gains nothing by a set-user-ID program */
	syscall(SYS_landlock_restrict_self, ruleset, 0);
}
