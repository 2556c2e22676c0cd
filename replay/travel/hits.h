/* What a search has found: for a set of points, the stretches of the trace whose hits are known, and those hits. Going
 * back from hit to hit then looks here first, and what was searched once, also by a search that was interrupted, is not
 * searched again. A recording does not change, so what is known stays true.
 *
 * 1. The stretches of one set are ascending and neither overlap nor touch; so are the hits of each.
 * 2. Bounded: HIT_SETS_MAX sets, the one used least recently is forgotten first; a set of HITS_MAX hits begins anew. */
#pragma once
#include "replay/run/points.h"
#include "replay/run/stop.h"

enum { HIT_SETS_MAX = 16, HITS_MAX = 1 << 20 };

/* The order of hits at one position: the instruction there, the vector that shares the position, the access. */
enum hit_rank { HIT_PLACE, HIT_VECTOR, HIT_ACCESS };

/* Where a search stopped. Hits compare by position and rank, whichever machine came to them. */
struct hit {
	uint64_t n;
	enum hit_rank rank;
	struct stop stop; /* STOP_BREAKPOINT or STOP_WATCHPOINT, in a list; the answer of a search may be another */
};

/* Whether a point is hit there at all. */
bool hit_is_one(const struct hit *hit);
/* Whether `a` comes before `b`. */
bool hit_is_before(const struct hit *a, const struct hit *b);

/* Begins as zeros; ascending, each (n, rank) once. */
struct hit_list {
	struct hit *at;
	size_t count, room;
};

/* Appends a hit after those that there are; one that is already the last is not added again. False: out of memory. */
bool hit_list_add(struct hit_list *list, const struct hit *hit);
/* Forgets those at or after `n`. */
void hit_list_cut(struct hit_list *list, uint64_t n);
void hit_list_free(struct hit_list *list);

/* All hits from `low`, which belongs to it, to `high`, which does not. */
struct hit_stretch {
	uint64_t low, high;
	struct hit_list hits;
};

struct hit_set {
	struct points_packed points;
	struct hit_stretch *at;
	size_t count;
	uint64_t used;
};

/* Begins as zeros. */
struct hits {
	struct hit_set *sets[HIT_SETS_MAX];
	uint64_t uses;
};

void hits_free(struct hits *hits);

/* What is known of these points. It is there until the next call. NULL: out of memory. */
struct hit_set *hits_of(struct hits *hits, const struct points_packed *points);

/* Takes in that these are the hits of [low, high), as far as nothing was known of it; *list is empty then. False: out
 * of memory, nothing was taken in. */
bool hits_learn(struct hit_set *set, uint64_t low, uint64_t high, struct hit_list *list);

/* The last hit before *n, if nothing between is unknown. Else false, and *n moves back to where the unknown ends. */
bool hits_before(const struct hit_set *set, uint64_t *n, struct hit *hit);

/* Where the stretch that is unknown before `n` begins, at or after `low`. */
uint64_t hits_unknown_from(const struct hit_set *set, uint64_t low, uint64_t n);

/* Whether it is known that [low, high) has no hit. */
bool hits_none(const struct hit_set *set, uint64_t low, uint64_t high);
