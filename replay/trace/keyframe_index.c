/* Goes through the page groups once, in order, and remembers where each page was seen last. */
#include "replay/trace/keyframe_index.h"
#include "hv/abi/machine.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_PAGES = 64 };

/* While the index is made. */
struct making {
	struct keyframe_index *index;
	/* the newest version of each page, in blocks, NULL where there is none; `index` UINT64_MAX: not this page */
	struct keyframe_page **newest;
	uint64_t ram_pages;
	uint64_t *groups; /* ids of all groups, by id */
	size_t group_count, group_at;
	size_t room; /* of the keyframe that is being filled */
};

static bool damaged(uint64_t n, const char *what, struct error *error)
{
	return error_set(error, STATUS_FAILED, "the trace's keyframe at n %llu %s: it is damaged",
			 (unsigned long long)n, what);
}

/* The newest version of page `index`, which is below ram_pages; NULL: none yet. */
static struct keyframe_page *newest_find(const struct making *m, uint64_t index)
{
	struct keyframe_page *block = m->newest[index / BLOCK_PAGES];
	struct keyframe_page *page = block ? &block[index % BLOCK_PAGES] : NULL;
	return page && page->index == index ? page : NULL;
}

static bool newest_set(struct making *m, const struct keyframe_page *page, struct error *error)
{
	struct keyframe_page **block = &m->newest[page->index / BLOCK_PAGES];
	if (!*block) {
		*block = malloc(BLOCK_PAGES * sizeof(**block));
		if (!*block)
			return error_set(error, STATUS_FAILED, "out of memory for keyframes");
		memset(*block, 0xff, BLOCK_PAGES * sizeof(**block));
	}
	(*block)[page->index % BLOCK_PAGES] = *page;
	return true;
}

static void newest_free(struct making *m)
{
	for (uint64_t i = 0; m->newest && i <= m->ram_pages / BLOCK_PAGES; i++)
		free(m->newest[i]);
	free(m->newest);
}

static bool page_add(struct making *m, struct keyframe *keyframe, const struct keyframe_page *page, struct error *error)
{
	if (keyframe->page_count == m->room) {
		m->room = m->room == 0 ? 256 : m->room * 2;
		struct keyframe_page *larger = realloc(keyframe->pages, m->room * sizeof(*larger));
		if (!larger)
			return error_set(error, STATUS_FAILED, "out of memory for keyframes");
		keyframe->pages = larger;
	}
	keyframe->pages[keyframe->page_count++] = *page;
	return true;
}

static bool group_take(struct making *m, struct keyframe *keyframe, uint64_t group, struct error *error)
{
	uint64_t indexes[TRACE_GROUP_PAGES_MAX];
	size_t count = trace_get_group_indexes(m->index->trace, group, indexes, error);
	for (size_t slot = 0; slot < count; slot++) {
		struct keyframe_page page = {indexes[slot], group, slot};
		if (page.index >= m->ram_pages)
			return damaged(keyframe->row.n, "has a page outside of RAM", error);
		if (!newest_set(m, &page, error) || !page_add(m, keyframe, &page, error))
			return false;
	}
	return count > 0;
}

/* The pages that were written and hold the same again are where they were before. */
static bool same_take(struct making *m, struct keyframe *keyframe, struct error *error)
{
	uint64_t *same;
	size_t count = 0;
	bool good = trace_get_keyframe_same(m->index->trace, &keyframe->row, &same, &count, error);
	for (size_t i = 0; good && i < count; i++) {
		const struct keyframe_page *page = same[i] < m->ram_pages ? newest_find(m, same[i]) : NULL;
		good = page && page->group < keyframe->row.first_group
			       ? page_add(m, keyframe, page, error)
			       : damaged(keyframe->row.n, "has a page of before that is not there", error);
	}
	free(same);
	return good;
}

static int compare_index(const void *a, const void *b)
{
	uint64_t x = ((const struct keyframe_page *)a)->index, y = ((const struct keyframe_page *)b)->index;
	return x < y ? -1 : x > y;
}

static int compare_group(const void *a, const void *b)
{
	const struct keyframe_page *x = a, *y = b;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* A trace that starts at a keyframe has older groups, in which a page may come more than once: the newest counts. */
static void pages_sort(struct making *m, struct keyframe *keyframe)
{
	size_t kept = 0;
	for (size_t i = 0; i < keyframe->page_count; i++) {
		const struct keyframe_page *page = &keyframe->pages[i];
		if (compare_group(page, newest_find(m, page->index)) == 0)
			keyframe->pages[kept++] = *page;
	}
	keyframe->page_count = kept;
	if (kept > 1)
		qsort(keyframe->pages, kept, sizeof(*keyframe->pages), compare_index);
}

static bool keyframe_fill(struct making *m, struct keyframe *keyframe, struct error *error)
{
	uint64_t end = keyframe->row.first_group + keyframe->row.group_count, own_count = 0;
	m->room = 0;
	for (; m->group_at < m->group_count && m->groups[m->group_at] < end; m->group_at++) {
		own_count += m->groups[m->group_at] >= keyframe->row.first_group;
		if (!group_take(m, keyframe, m->groups[m->group_at], error))
			return false;
	}
	if (own_count != keyframe->row.group_count)
		return damaged(keyframe->row.n, "lacks a page group", error);
	/* What a trace's start has the same as before is in older groups, which are all taken in there. */
	if (keyframe->row.n != trace_start_n(m->index->trace) && !same_take(m, keyframe, error))
		return false;
	pages_sort(m, keyframe);
	return true;
}

static bool make(struct making *m, struct error *error)
{
	struct keyframe_index *index = m->index;
	struct trace_keyframe *rows = NULL;
	if (m->ram_pages > GUEST_RAM_BYTES_MAX / TRACE_PAGE_BYTES)
		return error_set(error, STATUS_FAILED, "the trace's RAM size is impossible: it is damaged");
	m->newest = calloc(m->ram_pages / BLOCK_PAGES + 1, sizeof(struct keyframe_page *));
	if (!m->newest)
		return error_set(error, STATUS_FAILED, "out of memory for keyframes");
	if (!trace_get_keyframes(index->trace, &rows, &index->count, error))
		return false;
	index->at = calloc(index->count + 1, sizeof(*index->at));
	for (size_t i = 0; index->at && i < index->count; i++)
		index->at[i].row = rows[i];
	free(rows);
	if (!index->at)
		return error_set(error, STATUS_FAILED, "out of memory for keyframes");
	if (index->count == 0)
		return true;
	const struct trace_keyframe *last = &index->at[index->count - 1].row;
	bool good = trace_get_groups(index->trace, last->first_group + last->group_count, &m->groups, &m->group_count,
				     error);
	for (size_t i = 0; good && i < index->count; i++)
		good = keyframe_fill(m, &index->at[i], error);
	return good;
}

bool keyframe_index_open(struct keyframe_index *index, struct trace_reader *trace, uint64_t ram_pages,
			 struct error *error)
{
	uint64_t machine_version = GUEST_MACHINE_VERSION;
	*index = (struct keyframe_index){.trace = trace, .ram_pages = ram_pages, .vcpu_count = 1};
	if (trace_get_u64(trace, TRACE_META_MACHINE_VERSION, &machine_version, error) == TRACE_FAILED ||
	    trace_get_u64(trace, TRACE_META_VCPU_COUNT, &index->vcpu_count, error) == TRACE_FAILED)
		return false;
	index->state_bytes = guest_state_bytes(machine_version);
	struct making m = {.index = index, .ram_pages = ram_pages};
	bool good = make(&m, error);
	newest_free(&m);
	free(m.groups);
	return good;
}

void keyframe_index_close(struct keyframe_index *index)
{
	for (size_t i = 0; index->at && i < index->count; i++)
		free(index->at[i].pages);
	free(index->at);
	*index = (struct keyframe_index){0};
}

size_t keyframe_index_before(const struct keyframe_index *index, uint64_t n)
{
	size_t found = SIZE_MAX;
	for (size_t i = 0; i < index->count && index->at[i].row.n <= n; i++)
		found = i;
	return found;
}

/* Whether hv can take up the vCPU: what it uses as a mode or a choice is one. */
static bool vcpu_possible(const struct guest_state *state, uint32_t vcpu)
{
	enum { MODE_MASK = 0x1f, EL0T = 0, EL1T = 4, EL1H = 5, EL0_AARCH32 = 0x10 };
	uint64_t mode = state->vcpu[vcpu].pstate & MODE_MASK;
	bool modes = mode == EL0T || mode == EL1T || mode == EL1H || mode == EL0_AARCH32;
	bool power = state->vcpu[vcpu].power == VCPU_OFF || state->vcpu[vcpu].power == VCPU_ON;
	bool gic = state->vgic.redist[vcpu].lr_used < 1U << GUEST_LR_COUNT;
	return modes && power && gic && state->turn.waits[vcpu] <= 1;
}

/* Whether hv can take up the state: what it uses as an index too. */
static bool state_possible(const struct guest_state *state, uint64_t vcpu_count)
{
	bool uart = state->uart.rx_first < PL011_FIFO_BYTES && state->uart.rx_count <= PL011_FIFO_BYTES;
	bool possible = uart && state->vgic.stage <= VGIC_LOADED && state->vcpu_count == vcpu_count &&
			vcpu_count <= GUEST_VCPU_MAX && state->current < vcpu_count;
	for (uint32_t i = 0; possible && i < vcpu_count; i++)
		possible = vcpu_possible(state, i);
	return possible;
}

bool keyframe_index_state(const struct keyframe_index *index, size_t keyframe, struct guest_state *state,
			  struct error *error)
{
	*state = (struct guest_state){0};
	bool good = trace_get_keyframe_state(index->trace, &index->at[keyframe].row, state, index->state_bytes, error);
	if (good && (state->n != index->at[keyframe].row.n || !state_possible(state, index->vcpu_count)))
		good = damaged(index->at[keyframe].row.n, "has a state that no guest has there", error);
	return good;
}

bool keyframe_index_pages(const struct keyframe_index *index, struct keyframe_page *pages, size_t count,
			  keyframe_page_fn *each, void *context, struct error *error)
{
	uint8_t *bytes = malloc((size_t)TRACE_GROUP_PAGES_MAX * TRACE_PAGE_BYTES);
	bool good = true;
	if (!bytes)
		return error_set(error, STATUS_FAILED, "out of memory for keyframes");
	qsort(pages, count, sizeof(*pages), compare_group);
	for (size_t i = 0; good && i < count; i++) {
		if (i == 0 || pages[i].group != pages[i - 1].group)
			good = trace_get_group(index->trace, pages[i].group, bytes, error);
		good = good && each(&pages[i], bytes + pages[i].slot * TRACE_PAGE_BYTES, context);
	}
	free(bytes);
	return good;
}

static bool page_to_ram(const struct keyframe_page *page, const uint8_t *bytes, void *context)
{
	uint8_t *ram = context;
	memcpy(ram + page->index * TRACE_PAGE_BYTES, bytes, TRACE_PAGE_BYTES);
	return true;
}

struct keyframe_page *keyframe_index_newest(const struct keyframe_index *index, size_t from, size_t to, size_t *count)
{
	size_t all = 0;
	for (size_t i = from + 1; i <= to; i++) /* SIZE_MAX + 1 is 0 */
		all += index->at[i].page_count;
	struct keyframe_page *pages = malloc((all + 1) * sizeof(*pages));
	bool *seen = calloc(index->ram_pages + 1, sizeof(*seen));
	*count = 0;
	for (size_t i = to; pages && seen && i != from; i--) {
		for (size_t j = 0; j < index->at[i].page_count; j++) {
			const struct keyframe_page *page = &index->at[i].pages[j];
			if (!seen[page->index])
				pages[(*count)++] = *page;
			seen[page->index] = true;
		}
	}
	if (!seen) {
		free(pages);
		pages = NULL;
	}
	free(seen);
	return pages;
}

bool keyframe_index_ram(const struct keyframe_index *index, size_t keyframe, uint8_t *ram, struct error *error)
{
	size_t count = 0;
	struct keyframe_page *pages = keyframe_index_newest(index, SIZE_MAX, keyframe, &count);
	bool good = pages ? keyframe_index_pages(index, pages, count, page_to_ram, ram, error)
			  : error_set(error, STATUS_FAILED, "out of memory for keyframes");
	free(pages);
	return good;
}
