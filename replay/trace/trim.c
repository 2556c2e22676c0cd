/* The new trace has the files of the old one (RAM's start among them), over it the newest version of each page at the
 * first keyframe, then the later keyframes and the events as they are, and what the events need of disks and packets.
 */
#include "replay/trace/trim.h"
#include "hv/host/path.h"
#include "replay/trace/events.h"
#include "replay/trace/keyframe_index.h"
#include "replay/trace/metadata.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BATCH_EVENTS = 4096, BATCH_PAGES = 16 * TRACE_GROUP_PAGES_MAX };

struct trimming {
	struct trace_reader *from;
	struct trace_writer *to;
	struct keyframe_index index;
	size_t first; /* the keyframe that the new trace starts at; SIZE_MAX: it starts where the old one does */
	uint64_t last_n;
	bool cut; /* the end of the old trace is left out */
	struct trim_result *result;
	/* pages on their way */
	struct trace_page pages[BATCH_PAGES];
	uint8_t bytes[BATCH_PAGES * TRACE_PAGE_BYTES];
	size_t page_count;
	struct error *error;
};

static bool file_copy(const char *name, void *context, struct error *error)
{
	struct trimming *t = context;
	void *data = NULL;
	size_t bytes = 0;
	bool good = trace_get_file(t->from, name, &data, &bytes, error) == TRACE_FOUND &&
		    trace_put_file(t->to, name, data, bytes, error);
	free(data);
	return good;
}

/* What only holds for the whole trace, or for its old end, is left out. */
static bool meta_copy(const char *key, const char *text, uint64_t number, void *context, struct error *error)
{
	struct trimming *t = context;
	enum trace_meta_writer writer = trace_meta_writer(key);
	if (writer == TRACE_META_BY_TRACE || (writer == TRACE_META_BY_END && t->cut))
		return true;
	return trace_put_meta(t->to, key, text, number, error);
}

static bool pages_flush(struct trimming *t)
{
	bool good = trace_put_pages(t->to, t->pages, t->page_count, t->error);
	t->page_count = 0;
	return good;
}

static bool page_copy(const struct keyframe_page *page, const uint8_t *bytes, void *context)
{
	struct trimming *t = context;
	uint8_t *copy = t->bytes + t->page_count * TRACE_PAGE_BYTES;
	memcpy(copy, bytes, TRACE_PAGE_BYTES);
	t->pages[t->page_count++] = (struct trace_page){page->index, copy};
	return t->page_count < BATCH_PAGES || pages_flush(t);
}

/* Pages that hold what they held before come after those with bytes, in the order of RAM. */
static bool pages_put(struct trimming *t, struct keyframe_page *kept, size_t kept_count,
		      const struct keyframe *keyframe)
{
	if (!keyframe_index_pages(&t->index, kept, kept_count, page_copy, t, t->error) || !pages_flush(t))
		return false;
	for (size_t i = 0; keyframe && i < keyframe->page_count; i++) {
		const struct trace_page same = {keyframe->pages[i].index, NULL};
		if (keyframe->pages[i].group < keyframe->row.first_group && !trace_put_pages(t->to, &same, 1, t->error))
			return false;
	}
	return true;
}

static bool keyframe_put(struct trimming *t, size_t at)
{
	struct guest_state *state = malloc(sizeof(*state));
	const struct trace_keyframe *row = &t->index.at[at].row;
	bool good = state && keyframe_index_state(&t->index, at, state, t->error) &&
		    trace_put_keyframe(t->to, row->n, row->next_event, state, t->index.state_bytes, t->error);
	free(state);
	return good || error_set(t->error, STATUS_FAILED, "out of memory");
}

/* A keyframe after the first: its own pages, and the list of those that are the same again. */
static bool keyframe_copy(struct trimming *t, size_t at)
{
	const struct keyframe *keyframe = &t->index.at[at];
	struct keyframe_page *kept = malloc((keyframe->page_count + 1) * sizeof(*kept));
	size_t kept_count = 0;
	for (size_t i = 0; kept && i < keyframe->page_count; i++) {
		if (keyframe->pages[i].group >= keyframe->row.first_group)
			kept[kept_count++] = keyframe->pages[i];
	}
	bool good = kept && pages_put(t, kept, kept_count, keyframe) && keyframe_put(t, at);
	free(kept);
	return good || error_set(t->error, STATUS_FAILED, "out of memory");
}

/* The first keyframe of a trace that starts there: every page's newest version. */
static bool first_keyframe_copy(struct trimming *t)
{
	size_t count = 0;
	struct keyframe_page *pages = keyframe_index_newest(&t->index, SIZE_MAX, t->first, &count);
	bool good = pages && pages_put(t, pages, count, NULL) && keyframe_put(t, t->first);
	free(pages);
	return good || error_set(t->error, STATUS_FAILED, "out of memory");
}

/* Where the new trace's events end: after all events of the first position at or after last_n that has any from
 * `first` on. Those of the start's own position are mostly before it. */
static bool end_find(struct trimming *t, uint64_t first, uint64_t *end)
{
	struct events *events = events_open(t->from, t->error);
	if (!events)
		return false;
	uint64_t at = events_find(events, t->last_n, t->error);
	at = at > first ? at : first;
	const struct event *event = at < events_count(events) ? events_get(events, at, t->error) : NULL;
	*end = event ? events_find(events, event->n + 1, t->error) : events_count(events);
	t->cut = *end < events_count(events);
	events_close(events);
	return t->error->status == STATUS_OK;
}

static bool events_copy(struct trimming *t, uint64_t first, uint64_t end)
{
	static struct event events[BATCH_EVENTS];
	struct trace_cursor *cursor = trace_seek(t->from, first, t->error);
	bool good = cursor && (t->first == SIZE_MAX || trace_start_at(t->to, t->index.at[t->first].row.n, first,
								      trace_cursor_idle_ns(cursor), t->error));
	while (good && first < end) {
		size_t max = end - first < BATCH_EVENTS ? (size_t)(end - first) : BATCH_EVENTS;
		int64_t got = trace_next(cursor, events, max, t->error);
		good = got > 0 && trace_append(t->to, events, (size_t)got, t->error);
		first += good ? (uint64_t)got : 0;
		t->result->end_n = good ? events[got - 1].n : t->result->end_n;
	}
	trace_cursor_free(cursor);
	return good;
}

static bool keyframes_copy(struct trimming *t, uint64_t end)
{
	size_t at = 0;
	if (t->first != SIZE_MAX) {
		if (!first_keyframe_copy(t))
			return false;
		at = t->first + 1;
	}
	for (; at < t->index.count && t->index.at[at].row.next_event <= end; at++) {
		if (!keyframe_copy(t, at))
			return false;
	}
	return true;
}

static bool copy(struct trimming *t)
{
	uint64_t first = trace_first_event(t->from), end = 0;
	if (t->first != SIZE_MAX)
		first = t->index.at[t->first].row.next_event;
	t->result->start_n = t->first != SIZE_MAX ? t->index.at[t->first].row.n : 0;
	t->result->end_n = t->result->start_n;
	if (!end_find(t, first, &end))
		return false;
	t->result->event_count = end - first;
	return trace_each_file(t->from, file_copy, t, t->error) && trace_each_meta(t->from, meta_copy, t, t->error) &&
	       (!t->cut || trace_put_text(t->to, TRACE_META_END_REASON, "trimmed", t->error)) &&
	       events_copy(t, first, end) && keyframes_copy(t, end) &&
	       trace_copy_blocks(t->from, t->to, first, end, t->error) &&
	       trace_copy_payloads(t->from, t->to, first, end, t->error);
}

/* Finds where the new trace starts: at a keyframe with an event after it, which a killed recording's last one may not
 * have. Without any event guest time would be lost. */
static bool start_find(struct trimming *t, uint64_t first_n)
{
	uint64_t ram_bytes = 0, event_count, last_n, start_n = trace_start_n(t->from);
	if (!metadata_ram_bytes(t->from, &ram_bytes, t->error) ||
	    !keyframe_index_open(&t->index, t->from, ram_bytes / TRACE_PAGE_BYTES, t->error) ||
	    !trace_get_end(t->from, &event_count, &last_n, t->error))
		return false;
	if (first_n > last_n)
		return error_set(t->error, STATUS_FAILED,
				 "--from %llu is after the end of the trace at instruction %llu",
				 (unsigned long long)first_n, (unsigned long long)last_n);
	t->first = keyframe_index_before(&t->index, first_n > start_n ? first_n : start_n);
	while (t->first != SIZE_MAX && (t->first > 0 || start_n == 0) &&
	       t->index.at[t->first].row.next_event >= event_count)
		t->first = t->first > 0 ? t->first - 1 : SIZE_MAX;
	return true;
}

static uint64_t file_bytes(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

bool trim_run(const char *from, const char *to, uint64_t first_n, uint64_t last_n, struct trim_result *result,
	      struct error *error)
{
	struct trimming *t = calloc(1, sizeof(*t));
	*result = (struct trim_result){0};
	if (!t)
		return error_set(error, STATUS_FAILED, "out of memory");
	t->last_n = last_n;
	t->result = result;
	t->error = error;
	t->from = trace_open(from, error);
	if (t->from && path_same_file(from, to))
		error_set(error, STATUS_FAILED, "%s is the trace itself; name another file", to);
	else if (t->from && start_find(t, first_n))
		t->to = trace_create(to, error);
	if (t->to && copy(t) && (trace_is_complete(t->from) ? trace_finish(t->to, error) : trace_commit(t->to, error)))
		result->from_bytes = file_bytes(from);
	trace_writer_free(t->to);
	if (t->to && error->status != STATUS_OK)
		trace_remove(to);
	result->to_bytes = file_bytes(to);
	keyframe_index_close(&t->index);
	trace_close(t->from);
	free(t);
	return error->status == STATUS_OK;
}
