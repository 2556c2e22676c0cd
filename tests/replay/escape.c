/* Tries what a process would try that somebody has taken over, and says in one line what succeeded: "escaped by: …".
 * Built twice. As a program it stands in the place of the machine (HVREC_QEMU). As a library (-DPRELOAD, LD_PRELOAD) it
 * tries in hvrec itself, at the first call of the function that ESCAPE_AT names, which works on a stranger's bytes.
 *
 * ESCAPE_FILE   a file of the user's: it is read, and files are made beside it
 * ESCAPE_PORT   somebody listens at this port of 127.0.0.1 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <lz4.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

struct attempts {
	char text[256];
};

static void escaped(struct attempts *attempts, const char *how)
{
	size_t used = strlen(attempts->text);
	snprintf(attempts->text + used, sizeof(attempts->text) - used, " %s", how);
}

static void try_files(struct attempts *attempts, const char *file)
{
	char path[4096], byte;
	const char *const paths[] = {path, "/tmp/hvrec-escape", "hvrec-escape"};
	snprintf(path, sizeof(path), "%s.written", file);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd = open(paths[i], O_WRONLY | O_CREAT, 0600);
		if (fd >= 0)
			escaped(attempts, "writing");
		close(fd);
	}
	int fd = open(file, O_WRONLY | O_TRUNC);
	if (fd >= 0)
		escaped(attempts, "destroying");
	close(fd);
	fd = open(file, O_RDONLY);
	if (fd >= 0 && read(fd, &byte, 1) == 1)
		escaped(attempts, "reading");
	close(fd);
}

static void try_network(struct attempts *attempts, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd >= 0)
		escaped(attempts, "socket");
	if (connect(fd, (struct sockaddr *)(void *)&address, sizeof(address)) == 0)
		escaped(attempts, "connecting");
	close(fd);
}

/* A process that is as confined as its parent is no way out, but what it does may be. */
static void try_processes(struct attempts *attempts, const char *file)
{
	char command[4096];
	int status = 0;
	snprintf(command, sizeof(command), ": >'%s.shell'", file);
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(1);
	}
	if (pid < 0)
		return;
	escaped(attempts, "fork");
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		escaped(attempts, "shell");
	if (kill(getppid(), 0) == 0)
		escaped(attempts, "signal");
	if (ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) == 0)
		escaped(attempts, "trace");
}

static void try_all(void)
{
	struct attempts attempts = {""};
	const char *file = getenv("ESCAPE_FILE"), *port = getenv("ESCAPE_PORT");
	if (!file || !port)
		return;
	try_files(&attempts, file);
	try_network(&attempts, atoi(port));
	try_processes(&attempts, file);
	dprintf(STDERR_FILENO, "escaped by:%s\n", attempts.text);
}

#ifdef PRELOAD

static void reached(const char *function)
{
	static int tried;
	const char *at = getenv("ESCAPE_AT");
	if (at && strcmp(at, function) == 0 && tried++ == 0)
		try_all();
}

int LZ4_decompress_safe(const char *from, char *to, int from_bytes, int to_bytes)
{
	int (*next)(const char *, char *, int, int);
	*(void **)&next = dlsym(RTLD_NEXT, "LZ4_decompress_safe");
	reached("decompress");
	return next(from, to, from_bytes, to_bytes);
}

XXH128_hash_t XXH3_128bits_digest(const XXH3_state_t *state)
{
	XXH128_hash_t (*next)(const XXH3_state_t *);
	*(void **)&next = dlsym(RTLD_NEXT, "XXH3_128bits_digest");
	static int count;
	if (++count == 2) /* the first is of the initial RAM, before the machine starts; this one of the final state */
		reached("judge");
	return next(state);
}

#else

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return puts("escape") < 0;
	try_all();
	return 7;
}

#endif
