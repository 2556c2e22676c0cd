/* RAM at a keyframe is made of all page groups up to its end, so one group that is lost takes with it every keyframe
 * after it. A keyframe that is lost alone does not: its groups become part of the next one. */
#include "storage/trace_repair_keyframes.h"
#include "storage/bytes.h"

#include <stdlib.h>

struct taking {
	struct trace_salvage *found;
	struct trace_writer *out;
	struct error *error;
	size_t group_at;    /* the first of found->groups that was not put yet */
	uint64_t group_end; /* ids below are there; after the last keyframe that was put */
	uint64_t next_event;
};

/* The first row of a group at or after `id`. */
static size_t group_place(const struct trace_salvage *s, uint64_t id)
{
	size_t low = 0, high = s->group_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (s->groups[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether every group from `first` to below `end` is there. */
static bool groups_there(const struct trace_salvage *s, uint64_t first, uint64_t end)
{
	uint64_t wanted = first;
	for (size_t i = group_place(s, first); i < s->group_count && wanted < end; i++) {
		if (s->groups[i].id > wanted)
			return false;
		wanted += s->groups[i].id == wanted && s->groups[i].sound;
	}
	return wanted >= end;
}

static uint64_t group_end_of(const struct trace_keyframe *row)
{
	return row->first_group + row->group_count;
}

/* A row's numbers, which a checksum vouches for but nothing else. */
static bool row_valid(const struct trace_keyframe *row)
{
	return row->first_group <= INT64_MAX && row->group_count <= INT64_MAX;
}

const struct trace_salvage_keyframe *trace_repair_keyframes_start(const struct trace_salvage *found, uint64_t start_n)
{
	for (size_t i = 0; i < found->keyframe_count; i++) {
		const struct trace_salvage_keyframe *keyframe = &found->keyframes[i];
		if (keyframe->row.n != start_n || !keyframe->sound)
			continue;
		if (!row_valid(&keyframe->row) ||
		    !groups_there(found, keyframe->row.first_group, group_end_of(&keyframe->row)))
			return NULL;
		/* sound rows of an id come first */
		for (size_t group = 0; group < group_place(found, keyframe->row.first_group); group++) {
			bool first = group == 0 || found->groups[group - 1].id != found->groups[group].id;
			if (first && !found->groups[group].sound)
				return NULL;
		}
		return keyframe;
	}
	return NULL;
}

static bool group_put(struct taking *t, const struct trace_salvage_group *group)
{
	struct trace_page pages[TRACE_GROUP_PAGES_MAX];
	struct trace_bytes indexes, data;
	size_t count = (size_t)group->page_count;
	if (!trace_salvage_group_data(t->found, group, &indexes, &data) || indexes.count != count * 4)
		return false;
	uint8_t *raw = trace_salvage_pages_decompress(t->found, data, count * TRACE_PAGE_BYTES);
	if (!raw)
		return false;
	struct cursor cursor = {.at = indexes.data, .end = (const uint8_t *)indexes.data + indexes.count};
	for (size_t i = 0; i < count; i++)
		pages[i] = (struct trace_page){cursor_get_u32(&cursor), raw + i * TRACE_PAGE_BYTES};
	bool good = trace_put_pages(t->out, pages, count, t->error);
	free(raw);
	return good;
}

/* All groups below `end` that were not put yet, each once. */
static bool groups_put(struct taking *t, uint64_t end)
{
	const struct trace_salvage_group *groups = t->found->groups;
	for (; t->group_at < t->found->group_count && groups[t->group_at].id < end; t->group_at++) {
		size_t at = t->group_at;
		bool again = at > 0 && groups[at - 1].id == groups[at].id;
		if (groups[at].sound && !again && !group_put(t, &groups[at]))
			return false;
	}
	return true;
}

static bool same_put(struct taking *t, struct trace_bytes same)
{
	struct cursor cursor = {.at = same.data, .end = (const uint8_t *)same.data + same.count};
	uint64_t next = 0;
	while (cursor.at < cursor.end) {
		struct trace_page page = {next + cursor_get_varint(&cursor), NULL};
		if (cursor.failed || page.index < next || page.index > UINT32_MAX ||
		    !trace_put_pages(t->out, &page, 1, t->error))
			return false;
		next = page.index + 1;
	}
	return true;
}

static bool keyframe_put(struct taking *t, const struct trace_salvage_keyframe *keyframe)
{
	const struct trace_keyframe *row = &keyframe->row;
	struct trace_bytes state, same;
	if (!groups_put(t, group_end_of(row)) || !trace_salvage_keyframe_data(t->found, keyframe, &state, &same))
		return false;
	uint8_t *raw = trace_salvage_decompress(t->found, state, keyframe->state_bytes);
	bool good = raw && same_put(t, same) &&
		    trace_put_keyframe(t->out, row->n, row->next_event, raw, (size_t)keyframe->state_bytes, t->error);
	free(raw);
	return good;
}

/* Whether the keyframe can be used in the new trace. */
static bool keyframe_good(const struct taking *t, const struct trace_salvage_keyframe *keyframe,
			  const struct trace_salvage_keyframe *start)
{
	const struct trace_keyframe *row = &keyframe->row;
	return keyframe->sound && row_valid(row) && row->first_group >= t->group_end &&
	       row->next_event <= t->next_event &&
	       (keyframe == start || groups_there(t->found, t->group_end, group_end_of(row)));
}

bool trace_repair_keyframes(struct trace_salvage *found, struct trace_writer *out,
			    const struct trace_salvage_keyframe *start, uint64_t next_event,
			    struct trace_repair_report *report, struct error *error)
{
	struct taking t = {.found = found, .out = out, .error = error, .next_event = next_event};
	bool putting = true;
	size_t first = start ? (size_t)(start - found->keyframes) : 0;
	for (size_t i = first; i < found->keyframe_count; i++) {
		const struct trace_salvage_keyframe *keyframe = &found->keyframes[i];
		if (i > first && found->keyframes[i - 1].row.n == keyframe->row.n)
			continue; /* the same again, or a damaged copy of it */
		bool never_committed = keyframe->row.next_event > next_event && report->lost_event_count == 0;
		if (never_committed)
			continue;
		bool good = putting && keyframe_good(&t, keyframe, start);
		if (good && out && !keyframe_put(&t, keyframe)) {
			if (error->status != STATUS_OK)
				return false;
			good = putting = false; /* its groups may have been put in part */
		}
		report->keyframe_count += good;
		report->lost_keyframe_count += !good;
		t.group_end = good ? group_end_of(&keyframe->row) : t.group_end;
		if (keyframe == start && !good)
			return error_set(error, STATUS_FAILED, "the keyframe that the trace starts at is damaged");
	}
	return true;
}
