/* A slice is some ten milliseconds of compression, for which events wait in the queue. The keyframe itself is written
 * when all events before it are. */
#include "recorder/keyframe_writer.h"
#include "hv/error/check.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { SLICE_PAGES = 4 * TRACE_GROUP_PAGES_MAX };

void keyframe_writer_begin(struct keyframe_writer *keyframes, struct capture *capture)
{
	CHECK(!keyframes->capture);
	keyframes->capture = capture;
	keyframes->done = 0;
}

bool keyframe_writer_busy(const struct keyframe_writer *keyframes, uint64_t appended)
{
	const struct capture *capture = keyframes->capture;
	return capture && (keyframes->done < capture->page_count || appended >= capture->next_event);
}

/* Makes room for the hash of page `index`. */
static bool hashes_reach(struct keyframe_writer *keyframes, uint64_t index)
{
	if (index < keyframes->hash_count)
		return true;
	size_t count = (size_t)(index + index / 2 + 1024);
	uint64_t *larger = realloc(keyframes->hashes, count * sizeof(*larger));
	if (!larger)
		return false;
	memset(larger + keyframes->hash_count, 0, (count - keyframes->hash_count) * sizeof(*larger));
	keyframes->hashes = larger;
	keyframes->hash_count = count;
	return true;
}

/* A page that holds what was kept of it last need not be kept again. */
static void page_compare(struct keyframe_writer *keyframes, struct trace_page *page)
{
	if (!hashes_reach(keyframes, page->index))
		return;
	uint64_t hash = XXH3_64bits(page->bytes, TRACE_PAGE_BYTES) | 1;
	if (keyframes->hashes[page->index] == hash)
		page->bytes = NULL;
	keyframes->hashes[page->index] = hash;
}

static bool mark_add(struct keyframe_writer *keyframes, const struct capture *capture, uint64_t put_bytes,
		     struct error *error)
{
	size_t bytes = (keyframes->mark_count + 1) * sizeof(*keyframes->marks);
	struct keyframe_mark *larger = realloc(keyframes->marks, bytes);
	if (!larger)
		return error_set(error, STATUS_FAILED, "out of memory for a keyframe");
	keyframes->marks = larger;
	keyframes->marks[keyframes->mark_count++] = (struct keyframe_mark){capture->n, capture->ns, put_bytes};
	return true;
}

/* Whether the trace may start at the mark: what follows is enough. */
static bool is_enough(const struct writer_keep *keep, const struct keyframe_mark *mark, uint64_t now_ns, uint64_t bytes)
{
	return (keep->ns != 0 && now_ns - mark->ns >= keep->ns) ||
	       (keep->bytes != 0 && bytes - mark->bytes >= keep->bytes);
}

/* The trace then starts at the last keyframe that leaves enough after it. */
static bool forget(struct keyframe_writer *keyframes, struct trace_writer *trace, struct error *error)
{
	const struct keyframe_mark *marks = keyframes->marks;
	uint64_t now_ns = marks[keyframes->mark_count - 1].ns, bytes = trace_put_bytes(trace);
	size_t first = keyframes->mark_count;
	while (first > 0 && !is_enough(&keyframes->keep, &marks[first - 1], now_ns, bytes))
		first--;
	if (first == 0 || (first == 1 && keyframes->forgot))
		return true;
	first--;
	keyframes->forgot = true;
	if (!trace_forget_before(trace, marks[first].n, error))
		return false;
	keyframes->mark_count -= first;
	memmove(keyframes->marks, marks + first, keyframes->mark_count * sizeof(*marks));
	return true;
}

static void keyframe_end(struct keyframe_writer *keyframes, struct trace_writer *trace, struct error *error)
{
	struct capture *capture = keyframes->capture;
	keyframes->capture = NULL;
	bool keeps_all = keyframes->keep.ns == 0 && keyframes->keep.bytes == 0;
	if (trace_put_keyframe(trace, capture->n, capture->next_event, &capture->state, sizeof(capture->state),
			       error) &&
	    !keeps_all && mark_add(keyframes, capture, trace_put_bytes(trace), error))
		forget(keyframes, trace, error);
	capture_free(capture);
}

void keyframe_writer_step(struct keyframe_writer *keyframes, struct trace_writer *trace, uint64_t appended,
			  struct error *error)
{
	struct capture *capture = keyframes->capture;
	if (!capture)
		return;
	size_t left = capture->page_count - keyframes->done;
	size_t count = left < SLICE_PAGES ? left : SLICE_PAGES;
	struct trace_page *pages = capture->pages + keyframes->done;
	for (size_t i = 0; i < count; i++) {
		CHECK(keyframes->done + i == 0 || capture->pages[keyframes->done + i - 1].index < pages[i].index);
		page_compare(keyframes, &pages[i]);
	}
	if (count > 0)
		trace_put_pages(trace, pages, count, error);
	keyframes->done += count;
	if (keyframes->done == capture->page_count && appended >= capture->next_event)
		keyframe_end(keyframes, trace, error);
}

void keyframe_writer_free(struct keyframe_writer *keyframes)
{
	capture_free(keyframes->capture);
	free(keyframes->hashes);
	free(keyframes->marks);
}
