/* The loop that drives the stub, its server and the timeline. */
#include "tools/gdb_session.h"
#include "gdbstub/server.h"
#include "hv/host/session.h"
#include "replay/target.h"

#include <stdio.h>
#include <unistd.h>

static void serve(struct server *server, struct replay_target *target, int signal_fd, struct error *error)
{
	struct pollfd fds[SERVER_FD_COUNT_MAX + 1];
	while (error->status == STATUS_OK && !server_is_closed(server)) {
		nfds_t count = server_poll(server, fds);
		fds[count] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
		poll(fds, count + 1, replay_target_running(target) ? 0 : -1);
		if (session_signal_take(signal_fd) != 0)
			return;
		server_service(server, fds, count);
		if (!replay_target_running(target))
			continue;
		count = server_poll(server, fds);
		fds[count] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
		replay_target_run(target, fds, count + 1, error);
	}
}

void gdb_session_run(const char *trace, const char *address, bool quiet, struct error *error)
{
	int signal_fd = session_signals(error);
	struct timeline *timeline = signal_fd >= 0 ? timeline_open(trace, error) : NULL;
	struct replay_target *target = timeline ? replay_target_new(timeline) : NULL;
	struct gdbstub *stub = target ? gdbstub_new(&replay_target_ops, target) : NULL;
	struct server *server = stub ? server_open(address, false, stub, error) : NULL;
	if (server) {
		replay_target_attach(target, stub);
		if (!quiet)
			fprintf(stderr, "hvrec: serving gdb at %s: target remote %s\n", server_address(server),
				server_address(server));
		serve(server, target, signal_fd, error);
	} else {
		error_set(error, STATUS_FAILED, "out of memory");
	}
	server_close(server);
	gdbstub_free(stub);
	replay_target_free(target);
	timeline_close(timeline);
	if (signal_fd >= 0)
		close(signal_fd);
}
