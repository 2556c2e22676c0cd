/* The transport. Errors of a connection are its end; nothing of them reaches the target. */
#include "gdbstub/server.h"
#include "gdbstub/server_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INPUT_BYTES = 0x10000 };

struct server {
	struct gdbstub *stub;
	int listen_fd;           /* -1 with standard input and output */
	int input_fd, output_fd; /* -1 without a client; equal for sockets */
	int flags_in, flags_out; /* of standard input and output, to be put back */
	bool is_stdio, is_unix;
	size_t input_count, input_done; /* of `input`, read and fed */
	char name[SERVER_ADDRESS_BYTES];
	char input[INPUT_BYTES];
};

static void open_stdio(struct server *server)
{
	server->is_stdio = true;
	server->input_fd = STDIN_FILENO;
	server->output_fd = STDOUT_FILENO;
	server->flags_in = fcntl(STDIN_FILENO, F_GETFL);
	server->flags_out = fcntl(STDOUT_FILENO, F_GETFL);
	fcntl(STDIN_FILENO, F_SETFL, server->flags_in | O_NONBLOCK);
	fcntl(STDOUT_FILENO, F_SETFL, server->flags_out | O_NONBLOCK);
	signal(SIGPIPE, SIG_IGN);
	memcpy(server->name, "-", 2);
	gdbstub_connect(server->stub);
}

struct server *server_open(const char *address, bool allow_remote, struct gdbstub *stub, struct error *error)
{
	static const char unix_prefix[] = "unix:";
	struct server *server = calloc(1, sizeof *server);

	if (!server) {
		error_set(error, STATUS_FAILED, "no memory for gdb's server");
		return NULL;
	}
	server->stub = stub;
	server->listen_fd = server->input_fd = server->output_fd = -1;
	if (strcmp(address, "-") == 0) {
		open_stdio(server);
		return server;
	}
	server->is_unix = strncmp(address, unix_prefix, strlen(unix_prefix)) == 0;
	server->listen_fd = server->is_unix ? server_listen_unix(address + strlen(unix_prefix), server->name, error)
					    : server_listen_tcp(address, allow_remote, server->name, error);
	if (server->listen_fd >= 0)
		return server;
	free(server);
	return NULL;
}

static void disconnect(struct server *server)
{
	if (server->input_fd < 0)
		return;
	if (server->is_stdio) {
		fcntl(STDIN_FILENO, F_SETFL, server->flags_in);
		fcntl(STDOUT_FILENO, F_SETFL, server->flags_out);
	} else {
		close(server->input_fd);
	}
	server->input_fd = server->output_fd = -1;
	server->input_count = server->input_done = 0;
	gdbstub_disconnect(server->stub);
}

void server_close(struct server *server)
{
	if (!server)
		return;
	disconnect(server);
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	if (server->is_unix)
		unlink(server->name);
	free(server);
}

static bool has_output(const struct server *server)
{
	size_t count;

	gdbstub_output(server->stub, &count);
	return count > 0;
}

/* Input waits while output does: a client that only asks is not answered without end. */
nfds_t server_poll_client(struct server *server, struct pollfd *fds)
{
	nfds_t count = 0;

	if (server->input_fd >= 0)
		fds[count++] = (struct pollfd){.fd = server->input_fd, .events = has_output(server) ? 0 : POLLIN};
	if (server->input_fd >= 0 && has_output(server))
		fds[count++] = (struct pollfd){.fd = server->output_fd, .events = POLLOUT};
	return count;
}

nfds_t server_poll(struct server *server, struct pollfd *fds)
{
	nfds_t count = server_poll_client(server, fds);

	if (server->listen_fd >= 0 && (server->input_fd >= 0 || !gdbstub_is_busy(server->stub)))
		fds[count++] = (struct pollfd){.fd = server->listen_fd, .events = POLLIN};
	return count;
}

void server_turn_away(struct server *server)
{
	const int fd = server->input_fd >= 0 ? accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC) : -1;

	if (fd >= 0)
		close(fd);
}

static void accept_client(struct server *server)
{
	const int yes = 1;
	const int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (server->input_fd >= 0 || gdbstub_is_busy(server->stub)) {
		close(fd);
		return;
	}
	if (!server->is_unix)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	server->input_fd = server->output_fd = fd;
	gdbstub_connect(server->stub);
}

/* False: the connection is at its end. */
static bool feed(struct server *server)
{
	if (server->input_done == server->input_count) {
		const ssize_t count = read(server->input_fd, server->input, sizeof server->input);

		if (count <= 0)
			return count < 0 && (errno == EAGAIN || errno == EINTR);
		server->input_count = (size_t)count;
		server->input_done = 0;
	}
	server->input_done += gdbstub_feed(server->stub, server->input + server->input_done,
					   server->input_count - server->input_done);
	return true;
}

static bool send_output(struct server *server)
{
	size_t count;
	const void *bytes = gdbstub_output(server->stub, &count);

	if (count == 0)
		return true;
	const ssize_t done = server->is_stdio ? write(server->output_fd, bytes, count)
					      : send(server->output_fd, bytes, count, MSG_NOSIGNAL);
	if (done < 0)
		return errno == EAGAIN || errno == EINTR;
	gdbstub_sent(server->stub, (size_t)done);
	return true;
}

void server_flush(struct server *server)
{
	if (server->output_fd >= 0)
		send_output(server);
}

bool server_is_behind(const struct server *server)
{
	return server->input_done < server->input_count && has_output(server);
}

static bool has_more_than_acknowledgements(const struct server *server)
{
	for (size_t i = server->input_done; i < server->input_count; i++) {
		if (server->input[i] != '+' && server->input[i] != '-')
			return true;
	}
	return false;
}

bool server_hears(struct server *server)
{
	if (server->input_fd < 0)
		return false;
	if (server->input_done == server->input_count)
		server->input_done = server->input_count = 0;
	if (server->input_count < sizeof(server->input)) {
		ssize_t count = read(server->input_fd, server->input + server->input_count,
				     sizeof(server->input) - server->input_count);
		if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
			return true;
		server->input_count += count > 0 ? (size_t)count : 0;
	}
	return has_more_than_acknowledgements(server);
}

static void service_client(struct server *server, bool is_readable)
{
	bool is_open = send_output(server);

	while (is_open && !has_output(server) && (is_readable || server->input_done < server->input_count)) {
		is_open = feed(server) && send_output(server);
		is_readable = false;
	}
	if (!is_open || (gdbstub_is_leaving(server->stub) && !has_output(server)))
		disconnect(server);
}

void server_service(struct server *server, const struct pollfd *fds, nfds_t count)
{
	const int client_fd = server->input_fd;
	bool is_readable = false, is_waiting = false;

	for (nfds_t i = 0; i < count; i++) {
		is_readable = is_readable || (client_fd >= 0 && fds[i].fd == client_fd &&
					      (fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0);
		is_waiting = is_waiting || (fds[i].fd == server->listen_fd && fds[i].revents != 0);
	}
	if (client_fd >= 0)
		service_client(server, is_readable);
	if (is_waiting)
		accept_client(server);
}

bool server_is_connected(const struct server *server)
{
	return server->input_fd >= 0;
}

bool server_is_closed(const struct server *server)
{
	return server->is_stdio && server->input_fd < 0;
}

const char *server_address(const struct server *server)
{
	return server->name;
}
