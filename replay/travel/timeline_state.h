/* What the files of travel/ share: the timeline from inside. */
#pragma once
#include "replay/travel/hits.h"
#include "replay/travel/timeline.h"

struct scouts;

/* Instructions between checkpoints when a stretch is run for the first time. */
#define TIMELINE_STRIDE_INSNS UINT64_C(64000000)

/* How far the search that is going on has come, for travel_progress. */
struct timeline_course {
	bool on, reverse, shared; /* shared: between scouts and this machine, from at_n on */
	uint64_t from_n, limit_n;
	uint64_t at_n;   /* so far it has come */
	uint64_t looked; /* instructions that were not known */
	size_t groups;   /* of points, for which all of it is to be searched afterwards */
};

struct timeline {
	struct engine *engine;
	struct checkpoints checkpoints;
	size_t base; /* RAM is that of this checkpoint and what is dirty */
	uint64_t end_n;
	uint64_t end_pc; /* of the last place, where several share end_n; 0: there is one */
	struct timeline_diversion {
		struct timeline_place origin; /* where it left the recording */
		uint32_t vcpu_index;          /* of the vCPU that the first write was to, or through */
		struct vcpu_state vcpu;       /* that one, as it was there */
		bool is_kept;                 /* more was written than what a call of gdb's writes and puts back */
		bool is_said;
	} diversion;           /* replay/travel/diversion.h */
	struct scouts *scouts; /* NULL: it searches alone */
	bool is_scout;
	struct timeline_course course;
	struct hits known; /* what searches have found */
	struct hit_list
		*collected; /* a search that goes on from its hits keeps them here; NULL: it stops at the first */
};

/* engine_run that cannot be woken: for what is short, or ends where no one wants to be. If the interruption's tick ends
 * it, that is a failure, "interrupted". */
struct stop timeline_run_through(struct timeline *t, uint64_t until_n, struct points points, struct error *error);

/* Whether a place of the same position comes after this one, which is at the trace's last. */
bool timeline_is_before_end(const struct timeline *t);

/* Goes to checkpoint `target`. */
bool timeline_load(struct timeline *t, size_t target, struct error *error);

/* Takes a checkpoint at the current place, which must be one to go on from. */
bool timeline_checkpoint_here(struct timeline *t, struct error *error);

/* The first position in (low, high] where the recording stopped of its own accord; 0: there is none, or error set. */
uint64_t timeline_safe_first(struct timeline *t, uint64_t low, uint64_t high, struct error *error);

/* Whether the current place is inside an exclusive sequence. */
bool timeline_inside_exclusive(const struct timeline *t);
