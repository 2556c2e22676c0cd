/* The stub's transport: one client at a time over TCP, a unix socket, or standard input and output.
 *
 * 1. Only loopback addresses, unless the caller allows others: gdb's protocol has no authentication and writes memory.
 * 2. A second client is accepted and closed at once. While the target still runs for one that left, nobody is accepted.
 * 3. Never blocks: the caller polls.
 *
 * The caller's loop:
 *	n = server_poll(server, fds);  poll(fds, n, the target runs ? 0 : -1);  server_service(server, fds);
 *	if the target runs: a slice of it, and gdbstub_stopped when it stops;  until server_is_closed or the user ends.
 */
#pragma once
#include "gdbstub/gdbstub.h"
#include "hv/error/error.h"
#include <poll.h>

enum { SERVER_FD_COUNT_MAX = 3 };

struct server;

/* `address` is HOST:PORT (no host: 127.0.0.1; an IPv6 host in brackets; port 0: any), unix:PATH or "-". Does not own
 * `stub`. NULL and *error: the address is malformed, in use, or not a loopback one and `allow_remote` is false. With
 * "-" SIGPIPE is ignored from then on. */
struct server *server_open(const char *address, bool allow_remote, struct gdbstub *stub, struct error *error);

/* Disconnects the client and removes a unix socket's file. NULL is allowed. */
void server_close(struct server *server);

/* Fills what to wait for; returns how many, at most SERVER_FD_COUNT_MAX. */
nfds_t server_poll(struct server *server, struct pollfd *fds);

/* Does what is possible after poll: accepts, feeds the stub, sends. Also to be called when the target has stopped or
 * printed (server_poll then asks for POLLOUT). The errors of a client end that client only. */
void server_service(struct server *server, const struct pollfd *fds, nfds_t count);

/* Fills what a running target is to be interrupted for: its client only; returns how many, as server_poll. */
nfds_t server_poll_client(struct server *server, struct pollfd *fds);

/* For now and then while the target is in the middle of something, when no packet can be answered: */
/* Closes a connection that waits while there is a client. */
void server_turn_away(struct server *server);
/* Sends what waits. An error is found again, and ends the client, at the next server_service. */
void server_flush(struct server *server);
/* Takes in what the client sends, which the next server_service feeds to the stub. Whether it is more than
 * acknowledgements, or the connection's end: during a monitor command gdb only sends what is to end it. */
bool server_hears(struct server *server);

/* Whether something is taken in that server_service feeds only when the output is sent. */
bool server_is_behind(const struct server *server);

bool server_is_connected(const struct server *server);

/* "-" only: its one client is gone, and no other can come. */
bool server_is_closed(const struct server *server);

/* Where it listens, as gdb's `target remote` takes it: "127.0.0.1:1234", "/path", or "-". */
const char *server_address(const struct server *server);
