/* Keyframes into the trace: each is one row, and its pages are groups of up to 64 in the order of RAM, compressed
 * together. The writer's half; trace_keyframe_read.c is the reader's. */
#include "storage/bytes.h"
#include "storage/trace_writer.h"

#include <stdlib.h>
#include <string.h>

/* Gathers pages until a group is full. */
struct group {
	uint8_t indexes[TRACE_GROUP_PAGES_MAX * 4];
	uint8_t pages[TRACE_GROUP_PAGES_MAX * TRACE_PAGE_BYTES];
	size_t count;
};

static bool group_put(struct trace_writer *w, struct group *group)
{
	if (group->count == 0)
		return true;
	size_t stored_bytes = 0;
	uint8_t *stored =
		trace_zstd_compress(group->pages, group->count * TRACE_PAGE_BYTES, TRACE_LEVEL_PAGES, &stored_bytes);
	if (!stored)
		return error_set(&w->failed, STATUS_FAILED, "%s: no memory to compress a keyframe", w->path);
	struct trace_bytes indexes = {group->indexes, group->count * 4};
	struct trace_bytes data = {stored, stored_bytes};
	trace_writer_bind_u64(w, PUT_GROUP, 1, w->group_next);
	trace_writer_bind_u64(w, PUT_GROUP, 2, group->count);
	trace_writer_bind_u64(w, PUT_GROUP, 3, trace_group_checksum(w->group_next, group->count, indexes));
	trace_writer_bind_u64(w, PUT_GROUP, 4, trace_group_checksum(w->group_next, group->count, data));
	trace_writer_bind_blob(w, PUT_GROUP, 5, indexes.data, indexes.count);
	trace_writer_bind_blob(w, PUT_GROUP, 6, data.data, data.count);
	w->put_bytes += data.count;
	group->count = 0;
	w->group_next++;
	bool good = trace_writer_step(w, PUT_GROUP, NULL);
	free(stored);
	return good;
}

static void group_add(struct group *group, const struct trace_page *page)
{
	for (unsigned i = 0; i < 4; i++)
		group->indexes[group->count * 4 + i] = (uint8_t)(page->index >> 8 * i);
	memcpy(group->pages + group->count * TRACE_PAGE_BYTES, page->bytes, TRACE_PAGE_BYTES);
	group->count++;
}

static bool pages_put(struct trace_writer *w, const struct trace_page *pages, size_t count)
{
	struct group *group = malloc(sizeof(*group));
	if (!group)
		return error_set(&w->failed, STATUS_FAILED, "%s: no memory for a keyframe", w->path);
	group->count = 0;
	bool good = true;
	for (size_t i = 0; i < count && good; i++) {
		if (pages[i].bytes) {
			group_add(group, &pages[i]);
			good = group->count < TRACE_GROUP_PAGES_MAX || group_put(w, group);
		} else {
			bytes_put_varint(&w->keyframe_same, pages[i].index - w->keyframe_same_next);
			w->keyframe_same_next = pages[i].index + 1;
		}
	}
	good = good && group_put(w, group);
	free(group);
	return good;
}

bool trace_put_pages(struct trace_writer *w, const struct trace_page *pages, size_t count, struct error *error)
{
	if (trace_writer_begin(w))
		pages_put(w, pages, count);
	return trace_writer_report(w, error);
}

static bool row_put(struct trace_writer *w, const struct trace_keyframe *keyframe, const void *state,
		    size_t state_bytes)
{
	const struct bytes *same = &w->keyframe_same;
	size_t stored_bytes = 0;
	uint8_t *stored = trace_compress(state, state_bytes, true, &stored_bytes);
	if (!stored || same->failed) {
		free(stored);
		return error_set(&w->failed, STATUS_FAILED, "%s: no memory for a keyframe", w->path);
	}
	struct trace_bytes state_data = {stored, stored_bytes}, same_data = {same->data, same->count};
	const uint64_t columns[] = {
		keyframe->n,           keyframe->next_event,
		keyframe->first_group, keyframe->group_count,
		state_bytes,           trace_keyframe_checksum(keyframe, state_bytes, state_data, same_data)};
	for (int i = 0; i < 6; i++)
		trace_writer_bind_u64(w, PUT_KEYFRAME, i + 1, columns[i]);
	trace_writer_bind_blob(w, PUT_KEYFRAME, 7, stored, stored_bytes);
	trace_writer_bind_blob(w, PUT_KEYFRAME, 8, same->data ? (const void *)same->data : "", same->count);
	bool good = trace_writer_step(w, PUT_KEYFRAME, NULL);
	free(stored);
	return good;
}

static bool keyframe_valid(struct trace_writer *w, const struct trace_keyframe *keyframe)
{
	uint64_t appended = w->group_first + w->event_count;
	if (keyframe->next_event <= appended && keyframe->n > w->keyframe_n)
		return true;
	return error_set(&w->failed, STATUS_FAILED,
			 "%s: a keyframe at n %llu, before event %llu of %llu: a bug of hvrec", w->path,
			 (unsigned long long)keyframe->n, (unsigned long long)keyframe->next_event,
			 (unsigned long long)appended);
}

bool trace_put_keyframe(struct trace_writer *w, uint64_t n, uint64_t next_event, const void *state, size_t state_bytes,
			struct error *error)
{
	struct trace_keyframe keyframe = {.n = n,
					  .next_event = next_event,
					  .first_group = w->keyframe_first_group,
					  .group_count = w->group_next - w->keyframe_first_group};
	if (trace_writer_begin(w) && keyframe_valid(w, &keyframe) && row_put(w, &keyframe, state, state_bytes)) {
		w->keyframe_n = n;
		w->keyframe_first_group = w->group_next;
		w->keyframe_same.count = 0;
		w->keyframe_same_next = 0;
	}
	return trace_writer_report(w, error);
}
