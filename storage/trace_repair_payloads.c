/* What events brought, as far as rows of it are there; a replay stops at the first event whose payload is lost. */
#include "storage/trace_payload_read.h"
#include "storage/trace_repair_blocks.h"

#include <stdlib.h>

enum { FIRST_EVENT, LAST_EVENT, PAYLOAD_COUNT, RAW_BYTES };

struct putting {
	struct trace_salvage *found;
	struct trace_writer *out;
	uint64_t next_event, end_event; /* of what is put */
	uint64_t found_count, damaged_count;
	struct trace_payload_row row;
	struct error *error;
};

/* Takes a row's payloads. False: writing failed. */
static bool row_put(struct putting *p, const struct trace_salvage_row *from)
{
	struct trace_payload_row *row = &p->row;
	row->raw = trace_salvage_row_raw(p->found, from, from->numbers[RAW_BYTES], TRACE_PAYLOADS_RAW_BYTES_MAX);
	bool sound = row->raw && trace_payload_places(row, from->numbers), good = true;
	for (size_t i = 0; sound && i < row->count && p->out && good; i++) {
		const struct trace_payload_place *place = &row->places[i];
		if (place->event >= p->next_event && place->event < p->end_event)
			good = trace_put_payload(p->out, place->event, row->raw + place->at, place->bytes, p->error);
	}
	if (sound)
		p->next_event = from->numbers[LAST_EVENT] + 1;
	*(sound ? &p->found_count : &p->damaged_count) += from->numbers[PAYLOAD_COUNT];
	free(row->raw);
	row->raw = NULL;
	return good;
}

/* Rows in order; one that begins where another one was taken already was replaced by it. */
static bool rows_put(struct putting *p)
{
	const struct trace_salvage_rows *rows = &p->found->rows[TRACE_SALVAGE_PAYLOADS];
	bool good = true;
	for (size_t i = 0; i < rows->count && good; i++) {
		const struct trace_salvage_row *row = &rows->at[i];
		bool again = i > 0 && row[-1].numbers[FIRST_EVENT] == row->numbers[FIRST_EVENT];
		if (again || row->numbers[LAST_EVENT] < p->next_event || row->numbers[LAST_EVENT] > INT64_MAX ||
		    row->numbers[PAYLOAD_COUNT] > TRACE_PAYLOADS_MAX)
			continue;
		if (row->sound)
			good = row_put(p, row);
		else if (row->numbers[FIRST_EVENT] >= p->next_event)
			p->damaged_count += row->numbers[PAYLOAD_COUNT];
	}
	return good;
}

bool trace_repair_payloads(struct trace_salvage *found, struct trace_writer *out, uint64_t end_event,
			   struct trace_repair_report *report, struct error *error)
{
	const struct trace_salvage_meta *meta =
		trace_salvage_meta_find(found, trace_meta_number_key(TRACE_META_PAYLOADS));
	struct putting *p = calloc(1, sizeof(*p));
	found->no_memory |= !p;
	if (!p)
		return true;
	*p = (struct putting){.found = found, .out = out, .end_event = end_event, .error = error};
	p->next_event = report->first_event;
	bool good = rows_put(p);
	report->lost_payload_count = p->damaged_count;
	if (meta && !meta->text)
		report->lost_payload_count = meta->number > p->found_count ? meta->number - p->found_count : 0;
	free(p);
	return good;
}
