/* The loop that drives the stub, its server and the timeline. */
#include "tools/gdb/gdb_session.h"
#include "gdbstub/server.h"
#include "hv/host/sandbox.h"
#include "hv/host/session.h"
#include "replay/debugger/target.h"
#include "replay/trace/place.h"
#include "replay/travel/travel.h"

#include <stdio.h>
#include <unistd.h>

/* gdb gives a monitor command up after two seconds of silence, so a dot goes out now and then; and what a diverted
 * guest prints goes out while it runs. */
#define SILENCE_NS INT64_C(1000000000)

struct session {
	struct server *server;
	struct gdbstub *stub;
	struct replay_target *target;
	struct interruption interruption; /* of the timeline, and so of all that gdb begins */
	int signal_fd;
	int64_t spoken_ns;
};
_Static_assert((int)SERVER_FD_COUNT_MAX + 1 <= (int)INTERRUPTION_WAKE_MAX, "the client and signals wake a run");

/* Turns others away, and keeps the connection going: sends what waits, and during a monitor command looks whether that
 * is to end. It is called from the middle of what the target does, so no packet is handled here. */
static bool session_tick(void *context)
{
	struct session *session = context;
	bool in_monitor = replay_target_in_monitor(session->target);
	struct pollfd signal = {.fd = session->signal_fd, .events = POLLIN};
	int64_t now = session_now_ns();
	server_turn_away(session->server);
	if (!gdbstub_is_busy(session->stub))
		return false; /* in the middle of a packet: a write */
	if (in_monitor && now - session->spoken_ns >= SILENCE_NS) {
		session->spoken_ns = now;
		gdbstub_progress(session->stub, ".", 1);
	}
	if (!in_monitor)
		replay_target_progress(session->target, now);
	server_flush(session->server);
	if (!in_monitor)
		return false; /* a run is woken */
	bool wanted = server_hears(session->server) || poll(&signal, 1, 0) > 0;
	return replay_target_monitor_ends(session->target, wanted);
}

enum { FLUSH_TRIES = 20, FLUSH_MS = 100 };

/* The connection is about to end, and gdb would only say that. */
static void say_why(struct session *session, const struct error *error)
{
	char text[ERROR_TEXT_BYTES + 16];
	struct pollfd fds[SERVER_FD_COUNT_MAX];
	size_t waiting = 1;
	int length = snprintf(text, sizeof(text), "hvrec: %s\n", error->text);
	gdbstub_print(session->stub, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
	for (int i = 0; i < FLUSH_TRIES && waiting > 0; i++) {
		nfds_t count = server_poll_client(session->server, fds);
		poll(fds, count, FLUSH_MS);
		server_service(session->server, fds, count);
		gdbstub_output(session->stub, &waiting);
	}
}

/* What gdb has begun goes on for a while. A run is woken by what its client sends, and by a signal; a monitor command,
 * whose connection session_tick keeps going, is not. */
static bool run(struct session *session, struct error *error)
{
	struct interruption *interruption = &session->interruption;
	session->spoken_ns = session_now_ns();
	if (!replay_target_in_monitor(session->target)) {
		nfds_t count = server_poll_client(session->server, interruption->wake);
		interruption->wake[count] = (struct pollfd){.fd = session->signal_fd, .events = POLLIN};
		interruption->wake_count = count + 1;
	}
	bool good = replay_target_run(session->target, error);
	interruption->wake_count = 0;
	return good;
}

static void serve(struct session *session, struct error *error)
{
	struct pollfd fds[SERVER_FD_COUNT_MAX + 1];
	while (error->status == STATUS_OK && !server_is_closed(session->server)) {
		nfds_t count = server_poll(session->server, fds);
		fds[count] = (struct pollfd){.fd = session->signal_fd, .events = POLLIN};
		bool runs = replay_target_running(session->target) && !server_is_behind(session->server);
		poll(fds, count + 1, runs ? 0 : -1);
		if (session_signal_take(session->signal_fd) != 0)
			return;
		server_service(session->server, fds, count);
		runs = replay_target_running(session->target) && !server_is_behind(session->server);
		if (runs && !run(session, error))
			say_why(session, error);
	}
}

/* The trace is looked at before its machine starts, so that it starts near the place. */
static bool place_of(const char *path, const char *at, uint64_t *n, struct error *error)
{
	struct trace_reader *trace = trace_open(path, error);
	struct events *events = trace ? events_open(trace, error) : NULL;
	bool found = events && place_find(at, trace, events, n, error);
	events_close(events);
	trace_close(trace);
	return found;
}

void gdb_session_run(const struct gdb_session *options, struct error *error)
{
	uint64_t n = 0;
	if (options->at && !place_of(options->trace, options->at, &n, error))
		return;
	struct session session = {.signal_fd = session_signals(error)};
	struct interruption *interruption = &session.interruption;
	struct timeline *timeline =
		session.signal_fd >= 0 ? travel_open(options->trace, n, options->jobs, interruption, error) : NULL;
	session.target = timeline ? replay_target_new(timeline, options->placed) : NULL;
	session.stub = session.target ? gdbstub_new(&replay_target_ops, session.target) : NULL;
	session.server = session.stub ? server_open(options->address, false, session.stub, error) : NULL;
	if (session.server) {
		sandbox_enter(NULL, SANDBOX_NO_NETWORK); /* scouts still need machines */
		replay_target_attach(session.target, session.stub);
		if (!options->quiet)
			fprintf(stderr, "hvrec: serving gdb at %s: target remote %s\n", server_address(session.server),
				server_address(session.server));
		interruption->context = &session;
		interruption->tick = session_tick;
		serve(&session, error);
		interruption->tick = NULL;
	} else {
		error_set(error, STATUS_FAILED, "out of memory");
	}
	server_close(session.server);
	gdbstub_free(session.stub);
	replay_target_free(session.target);
	travel_close(timeline);
	if (session.signal_fd >= 0)
		close(session.signal_fd);
}
