/* A sorted array of groups: there are some thousands at most, and a restore asks for the same ones again and again. */
#include "replay/travel/page_source.h"
#include "replay/run/guest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { GROUP_BYTES = TRACE_GROUP_PAGES_MAX * TRACE_PAGE_BYTES, GROUPS_MAX = (256 << 20) / GROUP_BYTES };

const uint8_t *page_source_start(struct page_source *source, uint64_t index, struct error *error)
{
	if (!source->start_ram)
		source->start_ram = guest_start_ram(source->trace, source->ram_bytes, error);
	return source->start_ram ? source->start_ram + index * TRACE_PAGE_BYTES : NULL;
}

/* Where the group is, or belongs. */
static size_t group_place(const struct page_source *source, uint64_t id)
{
	size_t low = 0, high = source->group_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (source->groups[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool group_unpack(struct page_source *source, size_t place, uint64_t id, struct error *error)
{
	struct page_group *larger = realloc(source->groups, (source->group_count + 1) * sizeof(*larger));
	uint8_t *pages = malloc(GROUP_BYTES);
	if (larger)
		source->groups = larger;
	if (!larger || !pages || !trace_get_group(source->trace, id, pages, error)) {
		free(pages);
		return error_set(error, STATUS_FAILED, "out of memory for keyframes");
	}
	memmove(&larger[place + 1], &larger[place], (source->group_count - place) * sizeof(*larger));
	larger[place] = (struct page_group){id, pages};
	source->group_count++;
	return true;
}

const uint8_t *page_source_kept(struct page_source *source, uint64_t group, uint64_t slot, struct error *error)
{
	size_t place = group_place(source, group);
	bool here = place < source->group_count && source->groups[place].id == group;
	if (!here && !group_unpack(source, place, group, error))
		return NULL;
	return source->groups[place].pages + slot * TRACE_PAGE_BYTES;
}

static void groups_free(struct page_source *source)
{
	for (size_t i = 0; i < source->group_count; i++)
		free(source->groups[i].pages);
	free(source->groups);
	source->groups = NULL;
	source->group_count = 0;
}

void page_source_trim(struct page_source *source)
{
	if (source->group_count > GROUPS_MAX)
		groups_free(source);
}

void page_source_close(struct page_source *source)
{
	groups_free(source);
	if (source->start_ram)
		munmap(source->start_ram, source->ram_bytes);
	*source = (struct page_source){0};
}
