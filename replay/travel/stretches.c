/* An array: there are some hundreds at most. */
#include "replay/travel/stretches.h"
#include "hv/error/check.h"

#include <stdlib.h>

bool stretches_divide(struct stretches *stretches, uint64_t low, uint64_t high, const uint64_t *positions, size_t count)
{
	struct stretch *at = malloc((count + 1) * sizeof(*at));
	size_t found = 0;
	if (!at)
		return false;
	at[0].low = low;
	for (size_t i = 0; i < count; i++) {
		if (positions[i] <= at[found].low || positions[i] >= high)
			continue;
		at[found++].high = positions[i];
		at[found].low = positions[i];
	}
	at[found++].high = high;
	for (size_t i = 0; i < found; i++) {
		CHECK(at[i].low <= at[i].high);
		at[i].state = STRETCH_FREE;
	}
	*stretches = (struct stretches){at, found};
	return true;
}

void stretches_reverse(struct stretches *stretches)
{
	struct stretch *at = stretches->at;
	for (size_t i = 0; i < stretches->count / 2; i++) {
		struct stretch swapped = at[i];
		at[i] = at[stretches->count - 1 - i];
		at[stretches->count - 1 - i] = swapped;
	}
}

void stretches_free(struct stretches *stretches)
{
	free(stretches->at);
	*stretches = (struct stretches){0};
}

size_t stretches_take(struct stretches *stretches)
{
	for (size_t i = 0; i < stretches->count && stretches->at[i].state != STRETCH_HIT; i++) {
		if (stretches->at[i].state == STRETCH_FREE) {
			stretches->at[i].state = STRETCH_TAKEN;
			return i;
		}
	}
	return SIZE_MAX;
}

size_t stretches_first(const struct stretches *stretches)
{
	size_t first = 0;
	while (first < stretches->count && stretches->at[first].state == STRETCH_CLEAN)
		first++;
	return first;
}

uint64_t stretches_clean(const struct stretches *stretches)
{
	uint64_t clean = 0;
	for (size_t i = 0; i < stretches->count; i++)
		clean += stretches->at[i].state == STRETCH_CLEAN ? stretches->at[i].high - stretches->at[i].low : 0;
	return clean;
}
