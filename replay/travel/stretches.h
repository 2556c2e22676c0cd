/* What a search over several machines is divided into: stretches of positions in the order of the search, each taken by
 * one machine. Only what comes before a hit in that order is worth searching on. Knows no machine and no thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stretch_state { STRETCH_FREE, STRETCH_TAKEN, STRETCH_CLEAN, STRETCH_HIT };

/* From position `low`, which belongs to it, to `high`, which does not. */
struct stretch {
	uint64_t low, high;
	enum stretch_state state;
};

/* Begins as zeros. */
struct stretches {
	struct stretch *at; /* in the order of the search */
	size_t count;
};

/* Divides [low, high) at those of the ascending positions that lie inside, in the order of a search forwards. False:
 * out of memory. */
bool stretches_divide(struct stretches *stretches, uint64_t low, uint64_t high, const uint64_t *positions,
		      size_t count);
/* Puts them into the order of a search back. */
void stretches_reverse(struct stretches *stretches);
void stretches_free(struct stretches *stretches);

/* Takes the next one that is free and has no hit before it; SIZE_MAX: there is none. */
size_t stretches_take(struct stretches *stretches);

/* How much of it is clean. */
uint64_t stretches_clean(const struct stretches *stretches);

/* The first one that is not clean: the search's answer if it has a hit. `count`: all are clean. */
size_t stretches_first(const struct stretches *stretches);
