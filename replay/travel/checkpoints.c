/* Taking, restoring and dropping checkpoints. */
#include "replay/travel/checkpoints.h"
#include "hv/abi/descriptor.h"
#include "hv/error/check.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 64, KEYFRAMES_MAX = CHECKPOINTS_MAX / 2, HELD_PAGES = (1 << 30) / PAGE_BYTES };

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

static void checkpoint_free(struct checkpoint *checkpoint)
{
	for (size_t i = 0; i < checkpoint->page_count; i++)
		free(checkpoint->pages[i].place.bytes);
	free(checkpoint->pages);
	free(checkpoint->state);
}

void checkpoints_free(struct checkpoints *checkpoints)
{
	for (size_t i = 0; i < checkpoints->count; i++)
		checkpoint_free(&checkpoints->at[i]);
	checkpoints->count = 0;
	free(checkpoints->table);
	checkpoints->table = NULL;
	page_source_close(&checkpoints->source);
}

static bool add(struct checkpoints *checkpoints, uint64_t n, uint64_t next_event)
{
	struct checkpoint *new = &checkpoints->at[checkpoints->count];
	CHECK(checkpoints->count < CHECKPOINTS_MAX);
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
		new->pages[new->page_count++] =
			(struct checkpoint_page){pages[i].index, {.group = pages[i].group, .slot = pages[i].slot}};
	free(pages);
	if (!new->pages)
		return error_set(error, STATUS_FAILED, "out of memory for checkpoints");
	qsort(new->pages, new->page_count, sizeof(*new->pages), compare_pages);
	return keyframe_index_state(index, at, new->state, error);
}

size_t checkpoints_keyframes_every(size_t count)
{
	return count / (KEYFRAMES_MAX / 2) + 1;
}

/* Whether a keyframe is one of those that are taken in: all, or those near number `here` and some everywhere. */
static bool is_useful(size_t at, size_t here, size_t count)
{
	size_t distance = at > here ? at - here : here - at;
	return distance <= KEYFRAMES_MAX / 4 || at % checkpoints_keyframes_every(count) == 0;
}

bool checkpoints_open(struct checkpoints *checkpoints, const struct engine *engine, uint64_t n, struct error *error)
{
	const struct keyframe_index *index = engine_keyframes(engine);
	struct trace_reader *trace = engine_trace(engine);
	uint64_t start_n = trace_start_n(trace), page_count = engine_page_count(engine), next_event;
	const struct guest_state *start = engine_start_state(engine, &next_event);
	size_t before = SIZE_MAX, here = keyframe_index_before(index, n > start_n ? n : start_n);
	checkpoints->held_max = HELD_PAGES + page_count;
	checkpoints->source = (struct page_source){.trace = trace, .ram_bytes = page_count * PAGE_BYTES};
	if (start_n == 0) {
		if (!add(checkpoints, 0, next_event))
			return error_set(error, STATUS_FAILED, "out of memory for checkpoints");
		*checkpoints->at[0].state = *start;
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
	*page = (struct checkpoint_page){index, {.bytes = malloc(PAGE_BYTES)}};
	if (!page->place.bytes)
		return false;
	memcpy(page->place.bytes, engine_page(engine, index), PAGE_BYTES);
	new->page_count++;
	new->held_count++;
	return true;
}

/* Keeps every page that was written since the one before it, one that is the same again too: a checkpoint
 * that is taken between the two later may find it changed. */
static bool pages_keep_written(const struct engine *engine, struct checkpoint *new)
{
	size_t room = 0;
	uint64_t words = engine_page_set_words(engine);
	uint64_t *written = malloc(words * sizeof(*written));
	bool kept = written;
	if (written)
		engine_pages_written(engine, written);
	for (uint64_t word = 0; kept && word < words; word++) {
		for (uint64_t left = written[word]; kept && left != 0; left &= left - 1)
			kept = page_keep(engine, word * 64 + (uint64_t)__builtin_ctzll(left), &room, new);
	}
	free(written);
	return kept;
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
		later->held_count += page->place.bytes != NULL;
		page->place.bytes = NULL;
	}
	qsort(merged, count, sizeof(*merged), compare_pages);
	free(later->pages);
	later->pages = merged;
	later->page_count = count;
	return true;
}

static void table_forget(struct checkpoints *checkpoints)
{
	free(checkpoints->table);
	checkpoints->table = NULL;
}

/* Makes the table that of checkpoint `target`. */
static bool table_move(struct checkpoints *checkpoints, uint64_t page_count, size_t target)
{
	if (checkpoints->table && checkpoints->table_at > target)
		table_forget(checkpoints);
	size_t from = checkpoints->table ? checkpoints->table_at + 1 : 0;
	if (!checkpoints->table) {
		checkpoints->table = malloc(page_count * sizeof(*checkpoints->table));
		for (uint64_t i = 0; checkpoints->table && i < page_count; i++)
			checkpoints->table[i] = (struct page_place){.slot = PAGE_AT_START};
	}
	if (!checkpoints->table)
		return false;
	for (size_t at = from; at <= target; at++) {
		const struct checkpoint *checkpoint = &checkpoints->at[at];
		for (size_t i = 0; i < checkpoint->page_count; i++)
			checkpoints->table[checkpoint->pages[i].index] = checkpoint->pages[i].place;
	}
	checkpoints->table_at = target;
	return true;
}

/* The one whose loss costs least: the gap that it would leave, against its distance from the place of interest. Not the
 * first, the last or `keep`; if pages are too many, none whose pages are all in the trace. 0: there is none. */
static size_t least_useful(const struct checkpoints *checkpoints, uint64_t near_n, size_t keep)
{
	bool any = checkpoints->count > CHECKPOINTS_MAX;
	double least = 0;
	size_t found = 0;
	for (size_t i = 1; i + 1 < checkpoints->count; i++) {
		uint64_t n = checkpoints->at[i].n;
		double gap = (double)(checkpoints->at[i + 1].n - checkpoints->at[i - 1].n);
		double distance = (double)(n > near_n ? n - near_n : near_n - n) + 1e5;
		double use = gap / distance;
		bool helps = any || checkpoints->at[i].held_count > 0;
		if (i != keep && helps && (found == 0 || use < least)) {
			least = use;
			found = i;
		}
	}
	return found;
}

bool checkpoints_drop(struct checkpoints *checkpoints, size_t index)
{
	bool last = index + 1 == checkpoints->count;
	CHECK(index > 0 && index < checkpoints->count);
	if (!last && !pages_merge(&checkpoints->at[index], &checkpoints->at[index + 1]))
		return false;
	if (checkpoints->table_at == index)
		table_forget(checkpoints);
	else if (checkpoints->table_at > index)
		checkpoints->table_at--;
	checkpoint_free(&checkpoints->at[index]);
	checkpoints->count--;
	memmove(&checkpoints->at[index], &checkpoints->at[index + 1],
		(checkpoints->count - index) * sizeof(checkpoints->at[0]));
	return true;
}

static bool too_many(const struct checkpoints *checkpoints)
{
	size_t held = 0;
	for (size_t i = 0; i < checkpoints->count; i++)
		held += checkpoints->at[i].held_count;
	return checkpoints->count > CHECKPOINTS_MAX || held > checkpoints->held_max;
}

size_t checkpoints_take(struct checkpoints *checkpoints, const struct engine *engine, size_t base, uint64_t near_n,
			struct error *error)
{
	const struct guest_state *state = engine_state(engine);
	struct checkpoint new = {.n = state->n, .next_event = engine_next_event(engine)};
	size_t place = base + 1;
	CHECK(base < checkpoints->count && checkpoints->at[base].n <= new.n);
	CHECK(place == checkpoints->count || new.n <= checkpoints->at[place].n);
	new.state = malloc(sizeof(*new.state));
	/* Still one too many: there was no memory to drop it. */
	if (!new.state || !pages_keep_written(engine, &new) || checkpoints->count > CHECKPOINTS_MAX) {
		checkpoint_free(&new);
		return error_set(error, STATUS_FAILED, "out of memory for checkpoints"), SIZE_MAX;
	}
	*new.state = *state;
	memmove(&checkpoints->at[place + 1], &checkpoints->at[place],
		(checkpoints->count - place) * sizeof(checkpoints->at[0]));
	checkpoints->at[place] = new;
	checkpoints->count++;
	while (too_many(checkpoints)) {
		size_t victim = least_useful(checkpoints, near_n, place);
		if (victim == 0 || !checkpoints_drop(checkpoints, victim))
			break;
		place -= victim < place;
	}
	return place;
}

/* The pages that may not be what they were at `target`: written since `base`, or changed between the two. NULL: out of
 * memory. */
static uint64_t *pages_to_look_at(const struct checkpoints *checkpoints, const struct engine *engine, size_t base,
				  size_t target)
{
	size_t low = base < target ? base : target, high = base < target ? target : base;
	uint64_t *set = malloc(engine_page_set_words(engine) * sizeof(*set));
	if (!set)
		return NULL;
	engine_pages_written(engine, set);
	for (size_t at = low + 1; at <= high; at++) {
		const struct checkpoint *between = &checkpoints->at[at];
		for (size_t i = 0; i < between->page_count; i++)
			set[between->pages[i].index / 64] |= UINT64_C(1) << between->pages[i].index % 64;
	}
	return set;
}

/* A bit for each line in which the pages differ. */
static uint64_t lines_that_differ(const uint8_t *a, const uint8_t *b)
{
	uint64_t lines = 0;
	if (memcmp(a, b, PAGE_BYTES) == 0)
		return 0;
	for (size_t i = 0; i < PAGE_BYTES / LINE_BYTES; i++)
		lines |= (uint64_t)(memcmp(&a[i * LINE_BYTES], &b[i * LINE_BYTES], LINE_BYTES) != 0) << i;
	return lines;
}

/* The page's bytes as the table has them; NULL: the trace is damaged there, error set. */
static const uint8_t *page_bytes(struct checkpoints *checkpoints, uint64_t index, struct error *error)
{
	const struct page_place *place = &checkpoints->table[index];
	if (place->bytes)
		return place->bytes;
	return place->slot == PAGE_AT_START ? page_source_start(&checkpoints->source, index, error)
					    : page_source_kept(&checkpoints->source, place->group, place->slot, error);
}

/* Those pages of the set that RAM does not hold as the table has them; NULL: error set. */
static struct engine_page *pages_that_differ(struct checkpoints *checkpoints, const struct engine *engine,
					     const uint64_t *set, size_t *count, struct error *error)
{
	uint64_t words = engine_page_set_words(engine);
	size_t room = 1;
	for (uint64_t word = 0; word < words; word++)
		room += (size_t)__builtin_popcountll(set[word]);
	struct engine_page *pages = malloc(room * sizeof(*pages));
	*count = 0;
	for (uint64_t word = 0; pages && word < words; word++) {
		for (uint64_t left = set[word]; left != 0; left &= left - 1) {
			uint64_t index = word * 64 + (uint64_t)__builtin_ctzll(left);
			const uint8_t *bytes = page_bytes(checkpoints, index, error);
			if (!bytes) {
				free(pages);
				return NULL;
			}
			uint64_t lines = lines_that_differ(bytes, engine_page(engine, index));
			if (lines != 0)
				pages[(*count)++] = (struct engine_page){index, lines, bytes};
		}
	}
	return pages;
}

bool checkpoints_restore(struct checkpoints *checkpoints, struct engine *engine, size_t base, size_t target,
			 struct error *error)
{
	CHECK(base < checkpoints->count && target < checkpoints->count);
	const struct checkpoint *to = &checkpoints->at[target];
	struct engine_page *pages = NULL;
	size_t count = 0;
	uint64_t *set = pages_to_look_at(checkpoints, engine, base, target);
	if (set && table_move(checkpoints, engine_page_count(engine), target))
		pages = pages_that_differ(checkpoints, engine, set, &count, error);
	bool done = pages ? engine_load(engine, to->state, to->next_event, pages, count, error)
			  : error_set(error, STATUS_FAILED, "out of memory for checkpoints");
	if (!done)
		table_forget(checkpoints); /* it is ahead of the base, where none is to be put in before it */
	free(pages);
	free(set);
	page_source_trim(&checkpoints->source);
	return done;
}
