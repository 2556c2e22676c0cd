/* Copying what a part of a trace needs of disks and packets into a new one. */
#include "storage/trace_block_read.h"
#include "storage/trace_payload_read.h"
#include "storage/trace_writer.h"

struct copying {
	struct trace_reader *from;
	struct trace_writer *to;
};

/* What has no contents is copied all at once. */
static bool run_copy(const struct trace_run *run, void *context, struct error *error)
{
	struct copying *copying = context;
	if (run->content >= TRACE_CONTENT_LOST)
		return trace_put_run(copying->to, run, error);
	for (uint64_t i = 0; i < run->count; i++) {
		uint64_t where = run->where + i;
		const uint8_t *bytes = trace_block_content(copying->from, run->content + i, where, error);
		if (!bytes || !trace_put_block(copying->to, trace_where_disk(where), trace_where_block(where),
					       run->event, bytes, error))
			return false;
	}
	return true;
}

bool trace_copy_blocks(struct trace_reader *from, struct trace_writer *to, uint64_t first_event, uint64_t end_event,
		       struct error *error)
{
	struct copying copying = {from, to};
	const struct trace_block_index *index = trace_block_index_get(from, end_event, error);
	return index && trace_block_index_each(index, first_event, end_event, run_copy, &copying, error);
}

/* Puts the row's payloads from *next_event on; then that is behind its last one. */
static bool row_copy(const struct trace_payload_row *row, struct trace_writer *to, uint64_t *next_event,
		     uint64_t end_event, struct error *error)
{
	for (size_t i = 0; i < row->count; i++) {
		const struct trace_payload_place *place = &row->places[i];
		if (place->event < *next_event || place->event >= end_event)
			continue;
		if (!trace_put_payload(to, place->event, row->raw + place->at, place->bytes, error))
			return false;
		*next_event = place->event + 1;
	}
	return true;
}

bool trace_copy_payloads(struct trace_reader *from, struct trace_writer *to, uint64_t first_event, uint64_t end_event,
			 struct error *error)
{
	uint64_t next_event = first_event;
	const struct trace_payload_row *row = trace_payload_row_of(from, first_event, error);
	if (!row || !row_copy(row, to, &next_event, end_event, error))
		return false;
	do {
		row = trace_payload_row_from(from, next_event, error);
		if (!row || !row_copy(row, to, &next_event, end_event, error))
			return false;
	} while (row->count > 0 && row->places[row->count - 1].event < end_event);
	return true;
}
