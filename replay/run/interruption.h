/* What ends a run, or anything else that takes long, before it is done: somebody's own judgement, asked now and then,
 * or a file that can be read. It belongs to who opens an engine (a session with gdb, verify, a scout) and is handed
 * down once, at the opening; who owns it may change it between two runs.
 *
 * NULL is one that never does. */
#pragma once
#include <poll.h>
#include <stdbool.h>

enum { INTERRUPTION_WAKE_MAX = 4 };

struct interruption {
	bool (*tick)(void *context); /* called now and then in what takes long; true: end that. NULL: nothing is */
	void *context;
	struct pollfd wake[INTERRUPTION_WAKE_MAX]; /* any of these readable: end a run that can be woken */
	nfds_t wake_count;
	bool ending; /* tick wanted the end, and nobody knows yet */
};

/* Calls tick. What wants the end may come while a run is stopping on its own, so it is kept until somebody asks. */
void interruption_tick(struct interruption *interruption);
/* Whether tick wanted the end; says so once. */
bool interruption_take(struct interruption *interruption);
/* Whether tick wanted the end; it is still to be taken. */
bool interruption_is_due(const struct interruption *interruption);
/* Adds what wakes to `fds`, which has room for INTERRUPTION_WAKE_MAX; returns how many. */
nfds_t interruption_wake(const struct interruption *interruption, struct pollfd *fds);
/* Whether a run would be woken at once. */
bool interruption_woken(const struct interruption *interruption);
