/* Takes what trace_salvage.c finds, judges it as trace_cursor.c would, and hands it to the writer. The new trace is
 * finished only if the old one was and nothing is missing; otherwise what only the end of a recording knows would not
 * be true of it, and is left out. Which keyframes are kept: trace_repair_keyframes.c. */
#include "storage/trace_repair.h"
#include "storage/chunk.h"
#include "storage/trace_create.h"
#include "storage/trace_repair_blocks.h"
#include "storage/trace_repair_keyframes.h"
#include "storage/trace_repair_seal.h"
#include "storage/trace_seal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct repair {
	struct trace_salvage *found;
	struct trace_writer *out; /* NULL: only a survey */
	struct trace_repair_report *report;
	struct event *events; /* of one chunk */
	size_t event_room;
	const struct trace_salvage_keyframe *start; /* NULL: the trace starts at 0 */
	bool begun;                                 /* an event was taken */
	uint64_t next_event;                        /* the number of the next event to take */
	uint64_t idle_ns;                           /* before it */
	struct trace_repair_blocks blocks;
	struct error *error;
};

/* The trace's own the writer of the new one puts; what only the end knows, or an earlier repair said, is not true of a
 * trace whose end is lost. */
static bool meta_is_taken(const struct repair *r, const char *key)
{
	switch (trace_meta_writer(key)) {
	case TRACE_META_BY_TRACE:
		return false;
	case TRACE_META_BY_END:
	case TRACE_META_BY_REPAIR:
		return r->report->complete;
	case TRACE_META_BY_START:
	case TRACE_META_BY_OTHER:
		break;
	}
	return true;
}

static bool room_make(struct repair *r, size_t event_count)
{
	if (event_count <= r->event_room)
		return true;
	free(r->events);
	r->events = malloc(event_count * sizeof(*r->events));
	r->event_room = r->events ? event_count : 0;
	return r->events || error_set(r->error, STATUS_FAILED, "no memory to repair %zu events", event_count);
}

static bool chunk_events(struct repair *r, const struct trace_salvage_chunk *chunk)
{
	struct error why = {.status = STATUS_OK};
	size_t count = (size_t)chunk->row.event_count, bytes = 0;
	const uint8_t *stored = trace_salvage_chunk_data(r->found, chunk, &bytes);
	struct trace_bytes packed = {stored, bytes};
	uint8_t *raw = stored ? trace_salvage_decompress(r->found, packed, chunk->row.raw_bytes) : NULL;
	bool room = raw && room_make(r, count);
	struct chunk_events events = {.at = r->events, .count = count};
	errno = 0;
	bool good = room && chunk_decode(raw, (size_t)chunk->row.raw_bytes, &events, &why) &&
		    events.start_idle_ns == chunk->row.start_idle_ns && r->events[0].n == chunk->row.first_n &&
		    r->events[count - 1].n == chunk->row.last_n;
	for (size_t i = 1; good && i < count; i++)
		good = r->events[i].n >= r->events[i - 1].n;
	r->found->no_memory |= raw && !good && errno == ENOMEM;
	free(raw);
	return good;
}

static uint64_t idle_of(const struct event *events, size_t count)
{
	uint64_t idle_ns = 0;
	for (size_t i = 0; i < count; i++)
		idle_ns += event_idle_ns(&events[i]);
	return idle_ns;
}

/* Whether the chunk has the next event. The first one of a trace that starts at a keyframe may begin before. */
static bool chunk_fits(const struct repair *r, const struct trace_chunk *row)
{
	if (r->begun || !r->start)
		return row->first_event == r->next_event && row->start_idle_ns == r->idle_ns &&
		       row->first_n >= r->report->last_n;
	return row->first_event <= r->next_event && r->next_event - row->first_event < row->event_count;
}

/* Takes a chunk that goes on where the new trace ends. False if it is not sound; what it holds is not taken then. */
static bool chunk_take(struct repair *r, const struct trace_salvage_chunk *chunk)
{
	struct trace_repair_report *report = r->report;
	if (!chunk_fits(r, &chunk->row) || !chunk_events(r, chunk))
		return false;
	size_t skip = (size_t)(r->next_event - chunk->row.first_event);
	uint64_t end = chunk->row.first_event + chunk->row.event_count;
	size_t count = (size_t)((end < r->blocks.event_end ? end : r->blocks.event_end) - r->next_event);
	const struct event *events = r->events + skip;
	if (!r->begun)
		r->idle_ns = chunk->row.start_idle_ns + idle_of(r->events, skip);
	if (events[0].n < report->start_n ||
	    (r->out && r->start && !r->begun &&
	     !trace_start_at(r->out, report->start_n, r->next_event, r->idle_ns, r->error)))
		return false;
	if (r->out && !trace_append(r->out, events, count, r->error))
		return false;
	r->begun = true;
	r->idle_ns += idle_of(events, count);
	r->next_event += count;
	report->event_count += count;
	report->last_n = events[count - 1].n;
	return true;
}

/* The number of events that there were, at least, as far as what is left shows. A damaged chunk's word counts only
 * where the new trace ends. */
static uint64_t event_count_before(const struct repair *r)
{
	const struct trace_salvage *s = r->found;
	const struct trace_salvage_meta *events = trace_salvage_meta_find(s, trace_meta_number_key(TRACE_META_EVENTS));
	uint64_t count = r->next_event;
	for (size_t i = 0; i < s->chunk_count; i++) {
		const struct trace_chunk *row = &s->chunks[i].row;
		uint64_t end = row->first_event + row->event_count;
		bool counts = s->chunks[i].sound ? row->first_event <= INT64_MAX : row->first_event == r->next_event;
		if (counts && end > count)
			count = end;
	}
	return events && !events->text && events->number > count ? events->number : count;
}

/* Takes chunks as long as one goes on where the last ended. Several may begin at one place: small ones that a full one
 * replaced; the longest sound one is taken. */
static void events_take(struct repair *r)
{
	const struct trace_salvage *s = r->found;
	for (size_t i = 0; i < s->chunk_count && r->error->status == STATUS_OK; i++) {
		if (s->chunks[i].sound && r->next_event < r->blocks.event_end)
			chunk_take(r, &s->chunks[i]);
	}
	if (r->out && r->start && !r->begun)
		trace_start_at(r->out, r->report->start_n, r->next_event, 0, r->error);
	r->report->lost_event_count = event_count_before(r) - r->next_event;
}

/* Where the new trace starts: where the old one did. */
static bool start_find(struct repair *r, const char *from)
{
	const struct trace_salvage_meta *start_n =
		trace_salvage_meta_find(r->found, trace_meta_number_key(TRACE_META_START_N));
	if (!start_n)
		return true;
	r->start = start_n->text ? NULL : trace_repair_keyframes_start(r->found, start_n->number);
	if (!r->start)
		return error_set(r->error, STATUS_FAILED,
				 "%s: cannot be repaired: the keyframe that it starts at is damaged or missing", from);
	r->report->start_n = r->report->last_n = r->start->row.n;
	r->report->first_event = r->next_event = r->start->row.next_event;
	return true;
}

static void files_take(struct repair *r)
{
	struct trace_repair_report *report = r->report;
	for (size_t i = 0; i < r->found->file_count && r->error->status == STATUS_OK; i++) {
		const struct trace_salvage_file *file = &r->found->files[i];
		size_t bytes = 0;
		uint8_t *data = trace_salvage_contents(r->found, file, &bytes);
		if (data) {
			report->file_count++;
			if (r->out)
				trace_put_file(r->out, file->name, data, bytes, r->error);
		} else {
			size_t used = strlen(report->lost_files);
			snprintf(report->lost_files + used, sizeof(report->lost_files) - used, "%s%s",
				 report->lost_file_count++ ? ", " : "", file->name);
		}
		free(data);
	}
}

static void metas_take(struct repair *r)
{
	for (size_t i = 0; i < r->found->meta_count && r->out && r->error->status == STATUS_OK; i++) {
		const struct trace_salvage_meta *meta = &r->found->metas[i];
		if (meta_is_taken(r, meta->key))
			trace_put_meta(r->out, meta->key, meta->text, meta->number, r->error);
	}
}

/* Judges what was found, and writes it down in the new trace. */
static void conclude(struct repair *r)
{
	struct trace_repair_report *report = r->report;
	const struct trace_salvage_meta *complete =
		trace_salvage_meta_find(r->found, trace_meta_number_key(TRACE_META_COMPLETE));
	bool finished = complete && !complete->text && complete->number == 1;
	bool blocks_lost = report->lost_block_count > 0 || report->lost_payload_count > 0;
	report->complete = finished && !report->lost_event_count && !report->lost_file_count && !blocks_lost &&
			   trace_salvage_meta_find(r->found, trace_meta_number_key(TRACE_META_EVENTS));
	if (report->lost_event_count > 0)
		snprintf(report->reason, sizeof(report->reason), "events from %" PRIu64 " on are damaged or missing",
			 r->next_event);
	else if (report->lost_file_count > 0)
		snprintf(report->reason, sizeof(report->reason), "contents of files are damaged or missing");
	else if (blocks_lost)
		snprintf(report->reason, sizeof(report->reason), "contents of disks or packets are damaged or missing");
	else if (!report->complete)
		snprintf(report->reason, sizeof(report->reason), "the recording was not finished");
}

static bool write_end(struct repair *r)
{
	if (r->report->complete)
		return trace_finish(r->out, r->error);
	return trace_put_text(r->out, TRACE_META_REPAIR_REASON, r->report->reason, r->error) &&
	       trace_put_u64(r->out, TRACE_META_REPAIR_LOST_EVENTS, r->report->lost_event_count, r->error) &&
	       trace_commit(r->out, r->error);
}

static void devices_take(struct repair *r)
{
	if (trace_repair_blocks_put(r->found, &r->blocks, r->out, r->next_event, r->report, r->error))
		trace_repair_payloads(r->found, r->out, r->next_event, r->report, r->error);
}

/* The steps, in order. */
static bool run(struct repair *r, const char *from)
{
	r->report->metadata_doubtful = trace_repair_seal_is_broken(r->found);
	if (!start_find(r, from) || !trace_repair_blocks_read(r->found, r->next_event, &r->blocks))
		return r->error->status == STATUS_OK &&
		       error_set(r->error, STATUS_FAILED, "%s: no memory to repair it", from);
	events_take(r);
	if (r->error->status == STATUS_OK)
		trace_repair_keyframes(r->found, r->out, r->start, r->next_event, r->report, r->error);
	if (r->error->status == STATUS_OK)
		devices_take(r);
	files_take(r);
	if (r->found->no_memory)
		return error_set(r->error, STATUS_FAILED, "%s: no memory to repair it", from);
	conclude(r);
	metas_take(r);
	return r->error->status == STATUS_OK && (!r->out || write_end(r));
}

static bool repair(const char *from, const char *to, struct trace_repair_report *report, struct error *error)
{
	struct repair r = {.report = report, .error = error};
	*report = (struct trace_repair_report){0};
	r.found = trace_salvage_open(from, error);
	if (r.found && to)
		r.out = trace_create(to, error);
	bool started = r.found && (!to || r.out);
	bool good = started && run(&r, from);
	trace_writer_free(r.out);
	if (started && !good && to)
		trace_remove(to);
	trace_salvage_close(r.found);
	trace_block_index_free(&r.blocks.index);
	free(r.events);
	return good;
}

bool trace_repair(const char *from, const char *to, struct trace_repair_report *report, struct error *error)
{
	return repair(from, to, report, error);
}

bool trace_repair_survey(const char *from, struct trace_repair_report *report, struct error *error)
{
	return repair(from, NULL, report, error);
}
