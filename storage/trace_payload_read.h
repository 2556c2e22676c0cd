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

/* Frees; NULL is allowed. */
void trace_payload_row_free(struct trace_payload_row *row);
