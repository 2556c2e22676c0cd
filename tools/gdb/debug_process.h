/* The two programs of `hvrec debug`: the replay that serves a socket, and gdb.
 *
 * The replay is in a process group of its own: Ctrl-C at the terminal is gdb's, which then asks the replay to stop. */
#pragma once
#include "tools/gdb/gdb_session.h"
#include <signal.h>
#include <sys/types.h>

struct debug_server {
	pid_t pid;  /* 0: none */
	int output; /* what it prints; its end is the server's */
};

/* Starts to serve the session. It ends with this process at the latest. */
bool debug_server_start(struct debug_server *server, const struct gdb_session *session, struct error *error);
/* Waits until gdb can connect. False: the replay could not begin; error set to why. */
bool debug_server_wait(struct debug_server *server, struct error *error);
/* Ends the replay. Sets `error` if it had failed of its own accord. */
void debug_server_stop(struct debug_server *server, struct error *error);

/* The gdb to run: HVREC_GDB, or gdb-multiarch, or gdb if it knows aarch64. NULL: error set. */
const char *debug_gdb_find(struct error *error);

/* From now on SIGINT, SIGTERM and SIGHUP wait for debug_gdb_run. `before` is what gdb shall have. */
void debug_signals_hold(sigset_t *before);
/* Runs gdb to its end with this terminal. SIGTERM and SIGHUP are passed on to it, and one that came before prevents it.
 * False: it did not end with status 0; error set. */
bool debug_gdb_run(char *const *argv, const sigset_t *before, struct error *error);
