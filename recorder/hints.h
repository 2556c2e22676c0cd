/* Why a guest may have ended badly: what it looked for that hvrec does not have. */
#pragma once
#include "hv/abi/event.h"
#include "hv/host/machine.h"

struct hints {
	const void *program; /* the file that runs, if it is no kernel; the caller's */
	size_t program_bytes;
	struct event first; /* external abort, or of a GICv2, which says more; its kind is 0 if there was none */
};

/* Looks at events as they come. */
void hints_see(struct hints *hints, const struct event *events, size_t count);
/* Adds what it knows to the text of an `error` that the guest caused. `machine` has ended. */
void hints_add(const struct hints *hints, const struct machine *machine, struct error *error);
