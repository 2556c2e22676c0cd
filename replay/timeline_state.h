/* What timeline.c and timeline_run.c share. */
#pragma once
#include "replay/timeline.h"

/* Instructions between checkpoints when a stretch is run for the first time. */
#define TIMELINE_STRIDE_INSNS UINT64_C(40000000)

struct timeline {
	struct engine *engine;
	struct checkpoints checkpoints;
	size_t base; /* RAM is that of this checkpoint and what is dirty */
	uint64_t end_n;
	struct timeline_place origin; /* where a diversion left the recording (replay/diversion.h) */
};

/* engine_run, which what wakes the engine does not interrupt: for what is short, or ends where no one wants to be. If
 * the engine's tick ends it, that is a failure, "interrupted". */
enum engine_stop timeline_run_through(struct timeline *t, uint64_t until_n, const struct hv_debug_point *points,
				      size_t count, uint64_t *address, struct error *error);

/* Goes to checkpoint `target`. */
bool timeline_load(struct timeline *t, size_t target, struct error *error);

/* Takes a checkpoint at the current place, which must be one to go on from. */
bool timeline_checkpoint_here(struct timeline *t, struct error *error);

/* The first position in (low, high] where the recording stopped by itself; 0: there is none, or error set. */
uint64_t timeline_safe_first(struct timeline *t, uint64_t low, uint64_t high, struct error *error);

/* Whether the current place is inside an exclusive sequence. */
bool timeline_inside_exclusive(const struct timeline *t);
