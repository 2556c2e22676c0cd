/* What a recording and a replay have in common while the machine runs: signals, progress, the console's bytes. */
#pragma once
#include "hv/abi/event.h"
#include "hv/host/console.h"
#include "hv/host/machine.h"

/* A signal file descriptor for SIGINT, SIGTERM and SIGHUP, which from now on end the run properly; -1: error set. */
int session_signals(struct error *error);
/* Takes a pending signal; 0: none. */
int session_signal_take(int signal_fd);

struct progress {
	bool shown; /* whether there is a terminal for it */
	int64_t start_ns, last_ns;
	uint64_t last_n;
	uint64_t total_n; /* 0: not known */
};

/* The progress line on standard error: instructions, guest time, rate and, if the total is known, percent and time
 * left. */
void progress_start(struct progress *progress, bool wanted, uint64_t total_n);
void progress_update(struct progress *progress, const struct machine *machine);
void progress_end(struct progress *progress);

int64_t session_now_ns(void);
