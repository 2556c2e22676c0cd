/* Scouts: timelines on machines of their own that search other stretches of a trace at the same time as the user's
 * timeline, which asks for them where a search has become a long one.
 *
 * 1. The first is started when it is first wanted, and lives as long as the timeline: a machine each.
 * 2. A scout that fails, or finds another trace by this name now, gives its stretch back and is no more; the timeline,
 * which searches all that nobody else does, then says what is wrong. */
#pragma once
#include "replay/travel/search.h"

/* A search is long when it has passed so many instructions without a hit. */
#define SCOUTS_LONG_INSNS UINT64_C(100000000)

/* For up to `count` scouts on this trace, which starts at `start_n`; starts none yet. NULL: error set. */
struct scouts *scouts_new(const char *trace, uint64_t start_n, unsigned count, struct error *error);
void scouts_free(struct scouts *scouts);

/* Of the search that is going on: instructions without a hit, and how many of them were known before. */
void scouts_progress(struct scouts *scouts, uint64_t *clean, uint64_t *known);

/* search_span by timeline `t` and its scouts. Interrupted, or without a hit, nothing before the answer's position (in a
 * search back: after it) is hit. `here` tells whether `t` itself has just come to that place. */
struct hit scouts_search(struct timeline *t, const struct search *search, struct span span, bool *here,
			 struct error *error);
