/* What timeline.c, timeline_run.c, timeline_continue.c and scouts.c share. */
#pragma once
#include "replay/travel/hits.h"
#include "replay/travel/timeline.h"

struct scouts;

/* Instructions between checkpoints when a stretch is run for the first time. */
#define TIMELINE_STRIDE_INSNS UINT64_C(64000000)

/* A search that is going on, for timeline_progress. */
struct timeline_search {
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
		struct vcpu_state vcpu;       /* as it was there */
		bool is_kept;                 /* more was written than what a call of gdb's writes and puts back */
		bool is_told;
	} diversion;           /* replay/travel/diversion.h */
	struct scouts *scouts; /* NULL: it searches alone */
	bool is_scout;
	struct timeline_search search;
	struct hits known; /* what searches have found */
	struct hit_list
		*collected; /* a search that goes on from its hits keeps them here; NULL: it stops at the first */
};

/* engine_run, which what wakes the engine does not interrupt: for what is short, or ends where no one wants to be. If
 * the engine's tick ends it, that is a failure, "interrupted". */
enum engine_stop timeline_run_through(struct timeline *t, uint64_t until_n, const struct hv_debug_point *points,
				      size_t count, uint64_t *address, struct error *error);

/* Whether a place of the same position comes after this one, which is at the trace's last. */
bool timeline_is_before_end(const struct timeline *t);

/* Goes to checkpoint `target`. */
bool timeline_load(struct timeline *t, size_t target, struct error *error);

/* Takes a checkpoint at the current place, which must be one to go on from. */
bool timeline_checkpoint_here(struct timeline *t, struct error *error);

/* The first position in (low, high] where the recording stopped by itself; 0: there is none, or error set. */
uint64_t timeline_safe_first(struct timeline *t, uint64_t low, uint64_t high, struct error *error);

/* Whether the current place is inside an exclusive sequence. */
bool timeline_inside_exclusive(const struct timeline *t);

/* Runs over the instruction at the current view, a store exclusive too, with the points armed: without a hit, to a
 * place that is none to go on from. An access is at the view's position then, and the place is undefined. */
enum engine_stop timeline_run_over(struct timeline *t, const struct hv_debug_point *points, size_t count,
				   uint64_t *address, struct error *error);

/* What is known of these points (replay/travel/hits.h). NULL: out of memory. */
struct hit_set *timeline_known(struct timeline *t, const struct hv_debug_point *points, size_t count);

bool timeline_breakpoint_here(const struct timeline *t, const struct hv_debug_point *points, size_t count,
			      uint64_t *address);
struct timeline_found {
	struct timeline_hit hit; /* TIMELINE_BEGIN, TIMELINE_END: nothing */
	uint64_t n;
	enum timeline_rank rank;
};

/* The hit that the timeline has just come to. */
struct timeline_found timeline_found_here(const struct timeline *t, struct timeline_hit hit);
/* Goes to where `hit` was, at position `n`. */
bool timeline_goto_hit(struct timeline *t, uint64_t n, const struct timeline_hit *hit, struct error *error);

/* The next hit after the current place and before `limit`, which it is run to if there is none (TIMELINE_END). At most
 * HV_DEBUG_POINTS_MAX points, as many as the CPU has, here and below. */
struct timeline_hit timeline_next_hit(struct timeline *t, uint64_t limit, bool first_watch,
				      const struct hv_debug_point *points, size_t count, struct error *error);
/* The first hit at or after `low` and before `high`, or none (TIMELINE_END), where the timeline then is. With `reverse`
 * the last one, or none (TIMELINE_BEGIN), and the timeline is anywhere. */
struct timeline_found timeline_search(struct timeline *t, bool reverse, uint64_t low, uint64_t high,
				      const struct hv_debug_point *points, size_t count, struct error *error);
