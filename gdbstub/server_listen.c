/* TCP and unix sockets to listen on. */
#include "gdbstub/server_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG_COUNT = 4 };

static bool is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, address, sizeof v4);
		return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;

		memcpy(&v6, address, sizeof v6);
		return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
	}
	return false;
}

/* getaddrinfo takes a port modulo 2^16. */
static bool is_port(const char *text)
{
	return text[0] != '\0' && strspn(text, "0123456789") == strlen(text) && strlen(text) <= 5 &&
	       strtoul(text, NULL, 10) <= UINT16_MAX;
}

/* "HOST:PORT", "[HOST]:PORT" or ":PORT". */
static bool split(const char *address, char host[SERVER_ADDRESS_BYTES], const char **port)
{
	const char *colon = strrchr(address, ':'), *start = address, *end = colon;

	if (!colon || !is_port(colon + 1) || (size_t)(colon - address) >= SERVER_ADDRESS_BYTES)
		return false;
	if (*start == '[') {
		start++;
		if (end == start || *--end != ']')
			return false;
	}
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	if (host[0] == '\0')
		memcpy(host, "127.0.0.1", sizeof "127.0.0.1");
	*port = colon + 1;
	return true;
}

static int listen_at(const struct addrinfo *info)
{
	const int yes = 1;
	const int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG_COUNT) == 0)
		return fd;
	const int why = errno;
	close(fd);
	errno = why;
	return -1;
}

static void name_tcp(int fd, char name[SERVER_ADDRESS_BYTES])
{
	struct sockaddr_storage bound = {0};
	socklen_t bytes = sizeof bound;
	char host[INET6_ADDRSTRLEN] = "", port[8] = "";

	if (getsockname(fd, (struct sockaddr *)&bound, &bytes) == 0)
		getnameinfo((struct sockaddr *)&bound, bytes, host, sizeof host, port, sizeof port,
			    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(name, SERVER_ADDRESS_BYTES, bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

int server_listen_tcp(const char *address, bool allow_remote, char name[SERVER_ADDRESS_BYTES], struct error *error)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *info = NULL;
	char host[SERVER_ADDRESS_BYTES];
	const char *port;
	int fd = -1;

	if (!split(address, host, &port)) {
		error_set(error, STATUS_FAILED, "gdb address '%s' is not HOST:PORT, unix:PATH or -", address);
		return -1;
	}
	const int result = getaddrinfo(host, port, &hints, &info);
	if (result != 0) {
		error_set(error, STATUS_FAILED, "gdb address '%s': %s", address, gai_strerror(result));
		return -1;
	}
	if (!allow_remote && !is_loopback(info->ai_addr))
		error_set(error, STATUS_FAILED,
			  "gdb address '%s' is not a loopback address: anybody who reaches it could debug; use "
			  "127.0.0.1, or an "
			  "SSH tunnel",
			  address);
	else if ((fd = listen_at(info)) < 0)
		error_set(error, STATUS_FAILED, "cannot listen for gdb at '%s': %s", address, strerror(errno));
	else
		name_tcp(fd, name);
	freeaddrinfo(info);
	return fd;
}

/* A socket file that nobody listens at is what a killed program left. */
static void remove_stale(const struct sockaddr_un *at)
{
	struct stat status;

	if (lstat(at->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
		return;
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 && errno == ECONNREFUSED)
		unlink(at->sun_path);
	close(fd);
}

int server_listen_unix(const char *path, char name[SERVER_ADDRESS_BYTES], struct error *error)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	if (path[0] == '\0' || strlen(path) >= sizeof at.sun_path) {
		error_set(error, STATUS_FAILED, "gdb socket path '%s' must have 1 to %zu characters", path,
			  sizeof at.sun_path - 1);
		return -1;
	}
	memcpy(at.sun_path, path, strlen(path) + 1);
	remove_stale(&at);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const mode_t mask = umask(0177); /* for its owner only */
	const bool is_bound = fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;
	const int why = errno;
	umask(mask);
	if (is_bound && listen(fd, BACKLOG_COUNT) == 0) {
		snprintf(name, SERVER_ADDRESS_BYTES, "%s", path);
		return fd;
	}
	error_set(error, STATUS_FAILED, "cannot listen for gdb at unix:%s: %s", path, strerror(is_bound ? errno : why));
	if (fd >= 0)
		close(fd);
	return -1;
}
