/* Verifying a trace: everything is replayed, every event compared, and the whole guest at each keyframe and at the end.
 *
 * The intervals between keyframes are independent of each other, so several machines share them. */
#pragma once
#include "replay/run/engine.h"

struct verify_options {
	const char *trace;
	unsigned jobs; /* machines; 1 to ENGINE_JOBS_MAX */
	bool quiet;
};

struct verify_result {
	uint64_t instructions, events;
	size_t intervals;
	bool final_state; /* the trace has one, which was compared too */
};

/* Fills `error` with the first interval's that did not agree (STATUS_DIVERGED), or with what went wrong. */
bool verify_run(const struct verify_options *options, struct verify_result *result, struct error *error);

/* Whether the engine, which has come to the end of its trace, is in the state that the recording ended in. An
 * incomplete trace has none. */
bool verify_final_state(const struct engine *engine, struct error *error);
