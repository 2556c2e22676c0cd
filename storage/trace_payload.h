/* What the writer and the readers of payloads share. Format: docs/TRACE-FORMAT.md, "payload_group". */
#pragma once
#include "storage/trace.h"

enum {
	TRACE_PAYLOADS_MAX = 4096, /* of a row */
	/* A row with so many bytes of payloads takes no more. */
	TRACE_PAYLOADS_FULL_BYTES = 256 << 10,
	TRACE_PAYLOADS_RAW_BYTES_MAX = TRACE_PAYLOADS_MAX * 20 + TRACE_PAYLOADS_FULL_BYTES + TRACE_PAYLOAD_BYTES_MAX,
};
