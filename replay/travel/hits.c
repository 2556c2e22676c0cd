/* Arrays: a set has few stretches, for they grow together. */
#include "replay/travel/hits.h"
#include "hv/error/check.h"

#include <stdlib.h>
#include <string.h>

bool hit_is_one(const struct hit *hit)
{
	return hit->stop.kind == STOP_BREAKPOINT || hit->stop.kind == STOP_WATCHPOINT;
}

bool hit_is_before(const struct hit *a, const struct hit *b)
{
	return a->n < b->n || (a->n == b->n && a->rank < b->rank);
}

bool hit_list_add(struct hit_list *list, const struct hit *hit)
{
	if (list->count > 0) {
		struct hit *last = &list->at[list->count - 1];
		if (last->n == hit->n && last->rank == hit->rank)
			return true;
		CHECK(last->n <= hit->n);
	}
	if (list->count == list->room) {
		size_t room = list->room == 0 ? 64 : list->room * 2;
		struct hit *larger = realloc(list->at, room * sizeof(*larger));
		if (!larger)
			return false;
		list->at = larger;
		list->room = room;
	}
	list->at[list->count++] = *hit;
	return true;
}

/* The first hit at or after `n`. */
static size_t find(const struct hit_list *list, uint64_t n)
{
	size_t low = 0, high = list->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (list->at[middle].n < n)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void hit_list_cut(struct hit_list *list, uint64_t n)
{
	list->count = find(list, n);
}

void hit_list_free(struct hit_list *list)
{
	free(list->at);
	*list = (struct hit_list){0};
}

/* `more` goes after `list`, and is empty then. */
static bool append(struct hit_list *list, struct hit_list *more)
{
	size_t count = list->count + more->count;
	if (more->count > 0) {
		struct hit *larger = realloc(list->at, count * sizeof(*larger));
		if (!larger)
			return false;
		list->at = larger;
		memcpy(&larger[list->count], more->at, more->count * sizeof(*larger));
		list->count = list->room = count;
	}
	hit_list_free(more);
	return true;
}

static void forget(struct hit_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		hit_list_free(&set->at[i].hits);
	free(set->at);
	set->at = NULL;
	set->count = 0;
}

static void set_free(struct hit_set *set)
{
	if (set)
		forget(set);
	free(set);
}

void hits_free(struct hits *hits)
{
	for (size_t i = 0; i < HIT_SETS_MAX; i++)
		set_free(hits->sets[i]);
	*hits = (struct hits){0};
}

struct hit_set *hits_of(struct hits *hits, const struct points_packed *points)
{
	size_t oldest = 0;
	hits->uses++;
	for (size_t i = 0; i < HIT_SETS_MAX; i++) {
		struct hit_set *set = hits->sets[i];
		if (set && points_packed_equal(&set->points, points)) {
			set->used = hits->uses;
			return set;
		}
		if (hits->sets[oldest] && (!set || set->used < hits->sets[oldest]->used))
			oldest = i;
	}
	struct hit_set *new = calloc(1, sizeof(*new));
	if (!new)
		return NULL;
	new->points = *points;
	new->used = hits->uses;
	set_free(hits->sets[oldest]);
	hits->sets[oldest] = new;
	return new;
}

static size_t hit_count(const struct hit_set *set)
{
	size_t count = 0;
	for (size_t i = 0; i < set->count; i++)
		count += set->at[i].hits.count;
	return count;
}

/* The first stretch that ends at or after `n`. */
static size_t stretch_at(const struct hit_set *set, uint64_t n)
{
	size_t i = 0;
	while (i < set->count && set->at[i].high < n)
		i++;
	return i;
}

/* Stretches `i` and `i + 1` touch. */
static bool join(struct hit_set *set, size_t i)
{
	struct hit_stretch *left = &set->at[i], *right = &set->at[i + 1];
	if (!append(&left->hits, &right->hits))
		return false;
	left->high = right->high;
	set->count--;
	memmove(right, right + 1, (set->count - i - 1) * sizeof(*right));
	return true;
}

/* The stretch is right where it is: what was known stands before and after it. */
static void stretch_check(const struct hit_set *set, size_t at)
{
	const struct hit_stretch *stretch = &set->at[at];
	const struct hit_list *hits = &stretch->hits;
	CHECK(at == 0 || set->at[at - 1].high <= stretch->low);
	CHECK(at + 1 == set->count || stretch->high <= set->at[at + 1].low);
	CHECK(hits->count == 0 || (hits->at[0].n >= stretch->low && hits->at[hits->count - 1].n < stretch->high));
}

bool hits_learn(struct hit_set *set, uint64_t low, uint64_t high, struct hit_list *list)
{
	size_t at = stretch_at(set, low);
	if (at < set->count && set->at[at].high == low)
		at++;
	bool is_known = low >= high || (at < set->count && set->at[at].low < high);
	if (is_known) {
		hit_list_free(list);
		return true;
	}
	if (hit_count(set) + list->count > HITS_MAX) {
		forget(set);
		at = 0;
	}
	struct hit_stretch *larger = realloc(set->at, (set->count + 1) * sizeof(*larger));
	if (!larger)
		return false;
	set->at = larger;
	memmove(&larger[at + 1], &larger[at], (set->count - at) * sizeof(*larger));
	larger[at] = (struct hit_stretch){low, high, *list};
	set->count++;
	*list = (struct hit_list){0};
	stretch_check(set, at);
	bool joined = at + 1 == set->count || larger[at + 1].low != high || join(set, at);
	if (joined && at > 0 && larger[at - 1].high == low)
		joined = join(set, at - 1);
	if (!joined)
		forget(set); /* out of memory; it is searched again */
	return true;
}

bool hits_before(const struct hit_set *set, uint64_t *n, struct hit *hit)
{
	size_t i = stretch_at(set, *n);
	if (i == set->count || set->at[i].low >= *n)
		return false;
	size_t after = find(&set->at[i].hits, *n);
	if (after > 0)
		*hit = set->at[i].hits.at[after - 1];
	else
		*n = set->at[i].low;
	return after > 0;
}

uint64_t hits_unknown_from(const struct hit_set *set, uint64_t low, uint64_t n)
{
	size_t i = stretch_at(set, n);
	/* Stretch i begins at or after n, or ends there. */
	uint64_t from = i > 0 ? set->at[i - 1].high : low;
	return from > low ? from : low;
}

bool hits_none(const struct hit_set *set, uint64_t low, uint64_t high)
{
	struct hit hit;
	while (high > low) {
		uint64_t from = high;
		if (hits_before(set, &from, &hit))
			return hit.n < low;
		if (from == high)
			return false;
		high = from;
	}
	return true;
}
