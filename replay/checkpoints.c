/* Taking, restoring and dropping checkpoints. */
#include "replay/checkpoints.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 4096 };

static const uint8_t zero_page[PAGE_BYTES];

size_t checkpoints_before(const struct checkpoints *checkpoints, uint64_t n)
{
	size_t low = 0, high = checkpoints->count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (checkpoints->at[middle].n <= n)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int compare_pages(const void *a, const void *b)
{
	uint64_t x = ((const struct checkpoint_page *)a)->index, y = ((const struct checkpoint_page *)b)->index;
	return x < y ? -1 : x > y;
}

/* The page's bytes at checkpoint `at`. */
static const uint8_t *page_bytes(const struct checkpoints *checkpoints, size_t at, uint64_t index)
{
	struct checkpoint_page key = {.index = index};
	for (size_t i = at + 1; i-- > 0;) {
		const struct checkpoint *checkpoint = &checkpoints->at[i];
		const struct checkpoint_page *page =
			bsearch(&key, checkpoint->pages, checkpoint->page_count, sizeof(key), compare_pages);
		if (page)
			return page->bytes;
	}
	return zero_page;
}

static void checkpoint_free(struct checkpoint *checkpoint)
{
	for (size_t i = 0; i < checkpoint->page_count; i++)
		free(checkpoint->pages[i].bytes);
	free(checkpoint->pages);
	free(checkpoint->state);
}

void checkpoints_free(struct checkpoints *checkpoints)
{
	for (size_t i = 0; i < checkpoints->count; i++)
		checkpoint_free(&checkpoints->at[i]);
	checkpoints->count = 0;
}

static bool page_keep(const struct engine *engine, uint64_t index, size_t *room, struct checkpoint *new)
{
	if (new->page_count == *room) {
		*room = *room == 0 ? 64 : *room * 2;
		struct checkpoint_page *larger = realloc(new->pages, *room * sizeof(*larger));
		if (!larger)
			return false;
		new->pages = larger;
	}
	struct checkpoint_page *page = &new->pages[new->page_count];
	page->index = index;
	page->bytes = malloc(PAGE_BYTES);
	if (!page->bytes)
		return false;
	memcpy(page->bytes, engine_page(engine, index), PAGE_BYTES);
	new->page_count++;
	return true;
}

/* The first checkpoint keeps every page that is not zero. */
static bool pages_keep_all(const struct engine *engine, struct checkpoint *new)
{
	size_t room = 0;
	for (uint64_t start = 0, end; machine_ram_written(engine->machine, &start, &end); start = end) {
		for (uint64_t i = start / PAGE_BYTES; i < end / PAGE_BYTES; i++) {
			if (memcmp(engine_page(engine, i), zero_page, PAGE_BYTES) != 0 &&
			    !page_keep(engine, i, &room, new))
				return false;
		}
	}
	return true;
}

/* Any other keeps every page that was written since the one before it, one that is the same again too: a checkpoint
 * that is taken between the two later may find it changed. */
static bool pages_keep_written(const struct engine *engine, struct checkpoint *new)
{
	size_t room = 0;
	for (uint64_t i = 0; i < engine->page_count; i++) {
		if (engine_page_dirty(engine, i) && !page_keep(engine, i, &room, new))
			return false;
	}
	return true;
}

/* The pages of `earlier` that `later` does not have move to `later`. */
static bool pages_merge(struct checkpoint *earlier, struct checkpoint *later)
{
	size_t count = 0;
	struct checkpoint_page *merged = malloc((earlier->page_count + later->page_count + 1) * sizeof(*merged));
	if (!merged)
		return false;
	memcpy(merged, later->pages, later->page_count * sizeof(*merged));
	count = later->page_count;
	for (size_t i = 0; i < earlier->page_count; i++) {
		struct checkpoint_page *page = &earlier->pages[i];
		if (bsearch(page, later->pages, later->page_count, sizeof(*page), compare_pages))
			continue;
		merged[count++] = *page;
		page->bytes = NULL;
	}
	qsort(merged, count, sizeof(*merged), compare_pages);
	free(later->pages);
	later->pages = merged;
	later->page_count = count;
	return true;
}

/* The one whose loss costs least: the gap that it would leave, against its distance from the place of interest. */
static size_t least_useful(const struct checkpoints *checkpoints, uint64_t near_n)
{
	double least = 0;
	size_t found = 1;
	for (size_t i = 1; i + 1 < checkpoints->count; i++) {
		uint64_t n = checkpoints->at[i].n;
		double gap = (double)(checkpoints->at[i + 1].n - checkpoints->at[i - 1].n);
		double distance = (double)(n > near_n ? n - near_n : near_n - n) + 1e5;
		double use = gap / distance;
		if (i == 1 || use < least) {
			least = use;
			found = i;
		}
	}
	return found;
}

void checkpoints_drop(struct checkpoints *checkpoints, size_t index)
{
	bool last = index + 1 == checkpoints->count;
	if (!last && !pages_merge(&checkpoints->at[index], &checkpoints->at[index + 1]))
		return;
	checkpoint_free(&checkpoints->at[index]);
	checkpoints->count--;
	memmove(&checkpoints->at[index], &checkpoints->at[index + 1],
		(checkpoints->count - index) * sizeof(checkpoints->at[0]));
}

size_t checkpoints_take(struct checkpoints *checkpoints, const struct engine *engine, size_t base, uint64_t near_n,
			struct error *error)
{
	const struct guest_state *state = engine_state(engine);
	struct checkpoint new = {.n = state->n, .next_event = engine_next_event(engine)};
	size_t place = checkpoints->count == 0 ? 0 : base + 1;
	new.state = malloc(sizeof(*new.state));
	bool kept = checkpoints->count == 0 ? pages_keep_all(engine, &new) : pages_keep_written(engine, &new);
	if (!new.state || !kept) {
		checkpoint_free(&new);
		return error_set(error, STATUS_FAILED, "out of memory for checkpoints"), SIZE_MAX;
	}
	*new.state = *state;
	memmove(&checkpoints->at[place + 1], &checkpoints->at[place],
		(checkpoints->count - place) * sizeof(checkpoints->at[0]));
	checkpoints->at[place] = new;
	checkpoints->count++;
	if (checkpoints->count > CHECKPOINTS_MAX) {
		size_t victim = least_useful(checkpoints, near_n);
		if (victim != place) {
			checkpoints_drop(checkpoints, victim);
			place -= victim < place;
		}
	}
	return place;
}

struct page_list {
	struct engine_page *pages;
	size_t count, room;
};

static bool list_add(struct page_list *list, uint64_t index, const uint8_t *bytes)
{
	if (list->count == list->room) {
		list->room = list->room == 0 ? 256 : list->room * 2;
		struct engine_page *larger = realloc(list->pages, list->room * sizeof(*larger));
		if (!larger)
			return false;
		list->pages = larger;
	}
	list->pages[list->count++] = (struct engine_page){index, bytes};
	return true;
}

/* Adds the page if RAM does not hold what it was at `target`. A page may be added twice, with the same bytes. */
static bool list_consider(struct page_list *list, const struct checkpoints *checkpoints, const struct engine *engine,
			  size_t target, uint64_t index)
{
	const uint8_t *bytes = page_bytes(checkpoints, target, index);
	return memcmp(bytes, engine_page(engine, index), PAGE_BYTES) == 0 || list_add(list, index, bytes);
}

bool checkpoints_restore(const struct checkpoints *checkpoints, struct engine *engine, size_t base, size_t target,
			 struct error *error)
{
	struct page_list list = {0};
	size_t low = base < target ? base : target, high = base < target ? target : base;
	bool kept = true;
	for (uint64_t i = 0; kept && i < engine->page_count; i++) {
		if (engine_page_dirty(engine, i))
			kept = list_consider(&list, checkpoints, engine, target, i);
	}
	for (size_t at = low + 1; kept && at <= high; at++) {
		const struct checkpoint *between = &checkpoints->at[at];
		for (size_t i = 0; kept && i < between->page_count; i++)
			kept = list_consider(&list, checkpoints, engine, target, between->pages[i].index);
	}
	const struct checkpoint *to = &checkpoints->at[target];
	bool done = kept ? engine_load(engine, to->state, to->next_event, list.pages, list.count, error)
			 : error_set(error, STATUS_FAILED, "out of memory for checkpoints");
	free(list.pages);
	return done;
}
