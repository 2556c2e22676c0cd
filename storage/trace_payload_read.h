/* What a reader keeps of payloads: the row that it read last. */
#pragma once
#include "storage/trace_payload.h"

struct trace_payload_place {
	uint64_t event;
	size_t at, bytes; /* in the row's raw bytes */
};

struct trace_payload_row {
	uint8_t *raw; /* malloc */
	size_t count;
	struct trace_payload_place places[TRACE_PAYLOADS_MAX]; /* by event */
};

struct trace_reader;

/* Finds where each payload is in row->raw, which holds as many bytes as the row says. `fields` are the row's
 * first_event, last_event, payload_count and raw_bytes. False: it is no row. */
bool trace_payload_places(struct trace_payload_row *row, const uint64_t fields[4]);

/* The last row that begins at or before an event, and the first one that begins at or after it; without one a row of no
 * payload. Valid until the next call for a payload. NULL: error set. */
const struct trace_payload_row *trace_payload_row_of(struct trace_reader *r, uint64_t event, struct error *error);
const struct trace_payload_row *trace_payload_row_from(struct trace_reader *r, uint64_t event, struct error *error);

/* Frees; NULL is allowed. */
void trace_payload_row_free(struct trace_payload_row *row);
