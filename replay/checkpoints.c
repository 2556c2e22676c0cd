/* Taking, restoring and dropping checkpoints. */
#include "replay/checkpoints.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 4096, KEYFRAMES_MAX = CHECKPOINTS_MAX / 2 };

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

/* The page's bytes at checkpoint `at`; NULL: the trace is damaged, error set. */
static const uint8_t *page_bytes(struct checkpoints *checkpoints, size_t at, uint64_t index, struct error *error)
{
	struct checkpoint_page key = {.index = index};
	for (size_t i = at + 1; i-- > 0;) {
		const struct checkpoint *checkpoint = &checkpoints->at[i];
		const struct checkpoint_page *page =
			bsearch(&key, checkpoint->pages, checkpoint->page_count, sizeof(key), compare_pages);
		if (page)
			return page->bytes ? page->bytes
					   : page_source_kept(&checkpoints->source, page->group, page->slot, error);
	}
	return page_source_start(&checkpoints->source, index, error);
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
	page_source_close(&checkpoints->source);
}

static bool add(struct checkpoints *checkpoints, uint64_t n, uint64_t next_event)
{
	struct checkpoint *new = &checkpoints->at[checkpoints->count];
	*new = (struct checkpoint){.n = n, .next_event = next_event, .state = malloc(sizeof(*new->state))};
	checkpoints->count += new->state != NULL;
	return new->state != NULL;
}

/* Adds keyframe `at`, with the pages that were written since keyframe `before` (SIZE_MAX: the start). */
static bool add_keyframe(struct checkpoints *checkpoints, const struct keyframe_index *index, size_t before, size_t at,
			 struct error *error)
{
	const struct trace_keyframe *row = &index->at[at].row;
	size_t count = 0;
	struct keyframe_page *pages = keyframe_index_newest(index, before, at, &count);
	if (!pages || !add(checkpoints, row->n, row->next_event)) {
		free(pages);
		return error_set(error, STATUS_FAILED, "out of memory for checkpoints");
	}
	struct checkpoint *new = &checkpoints->at[checkpoints->count - 1];
	new->pages = malloc((count + 1) * sizeof(*new->pages));
	for (size_t i = 0; new->pages &&i < count; i++)
		new->pages[new->page_count++] = (struct checkpoint_page){
			.index = pages[i].index, .group = pages[i].group, .slot = pages[i].slot};
	free(pages);
	if (!new->pages)
		return error_set(error, STATUS_FAILED, "out of memory for checkpoints");
	qsort(new->pages, new->page_count, sizeof(*new->pages), compare_pages);
	return keyframe_index_state(index, at, new->state, error);
}

/* Whether a keyframe is one of those that are taken in: all, or those near number `here` and some everywhere. */
static bool is_useful(size_t at, size_t here, size_t count)
{
	size_t distance = at > here ? at - here : here - at;
	size_t every = count / (KEYFRAMES_MAX / 2) + 1;
	return distance <= KEYFRAMES_MAX / 4 || at % every == 0;
}

bool checkpoints_open(struct checkpoints *checkpoints, const struct engine *engine, uint64_t n, struct error *error)
{
	const struct keyframe_index *index = &engine->keyframes;
	uint64_t start_n = trace_start_n(engine->trace);
	size_t before = SIZE_MAX, here = keyframe_index_before(index, n > start_n ? n : start_n);
	checkpoints->source =
		(struct page_source){.trace = engine->trace, .ram_bytes = engine->page_count * PAGE_BYTES};
	if (start_n == 0) {
		if (!add(checkpoints, 0, 0))
			return error_set(error, STATUS_FAILED, "out of memory for checkpoints");
		*checkpoints->at[0].state = *engine->start_state;
	}
	for (size_t i = 0; i < index->count; i++) {
		if (i != 0 && !is_useful(i, here, index->count))
			continue;
		if (!add_keyframe(checkpoints, index, before, i, error))
			return false;
		before = i;
	}
	return true;
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

/* Keeps every page that was written since the one before it, one that is the same again too: a checkpoint
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
	size_t place = base + 1;
	new.state = malloc(sizeof(*new.state));
	if (!new.state || !pages_keep_written(engine, &new)) {
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
static bool list_consider(struct page_list *list, struct checkpoints *checkpoints, const struct engine *engine,
			  size_t target, uint64_t index, struct error *error)
{
	const uint8_t *bytes = page_bytes(checkpoints, target, index, error);
	return bytes && (memcmp(bytes, engine_page(engine, index), PAGE_BYTES) == 0 || list_add(list, index, bytes));
}

bool checkpoints_restore(struct checkpoints *checkpoints, struct engine *engine, size_t base, size_t target,
			 struct error *error)
{
	struct page_list list = {0};
	size_t low = base < target ? base : target, high = base < target ? target : base;
	bool kept = true;
	for (uint64_t i = 0; kept && i < engine->page_count; i++) {
		if (engine_page_dirty(engine, i))
			kept = list_consider(&list, checkpoints, engine, target, i, error);
	}
	for (size_t at = low + 1; kept && at <= high; at++) {
		const struct checkpoint *between = &checkpoints->at[at];
		for (size_t i = 0; kept && i < between->page_count; i++)
			kept = list_consider(&list, checkpoints, engine, target, between->pages[i].index, error);
	}
	const struct checkpoint *to = &checkpoints->at[target];
	bool done = kept ? engine_load(engine, to->state, to->next_event, list.pages, list.count, error)
			 : error_set(error, STATUS_FAILED, "out of memory for checkpoints");
	free(list.pages);
	page_source_trim(&checkpoints->source);
	return done;
}
