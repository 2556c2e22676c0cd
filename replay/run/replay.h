/* Replaying: re-executes a trace, checks every event, and reprints the console. */
#pragma once
#include "hv/error/error.h"
#include <stdbool.h>
#include <stdint.h>

struct replay_options {
	const char *trace;
	const char *console; /* a file, "-" or NULL, "none" */
	uint64_t until_n;    /* UINT64_MAX: the end */
	bool quiet;
};

/* Replays. False: it could not be done, or it diverged; error set. */
bool replay_run(const struct replay_options *options, struct error *error);
