/* What packets and entropy held: payloads by event, gathered and compressed together. A commit writes the last row as
 * it is, and the next one puts a longer one in its place. trace_payload_read.c is the reader's half. */
#include "storage/trace_payload.h"
#include "storage/trace_writer.h"

#include <stdlib.h>

static bool no_memory(struct trace_writer *w)
{
	return error_set(&w->failed, STATUS_FAILED, "%s: no memory for what events brought", w->path);
}

/* The row's raw bytes: each payload's event and size, then their bytes. */
static bool row_put(struct trace_writer *w)
{
	struct trace_payloads *p = &w->payloads;
	size_t heads_count = p->heads.count, stored_bytes = 0;
	bytes_put(&p->heads, p->contents.data, p->contents.count);
	uint8_t *stored =
		p->heads.failed || p->contents.failed
			? NULL
			: trace_zstd_compress(p->heads.data, p->heads.count, TRACE_LEVEL_DEVICES, &stored_bytes);
	if (!stored)
		return no_memory(w);
	struct trace_bytes data = {stored, stored_bytes};
	const uint64_t fields[] = {p->first_event, p->last_event, p->count, p->heads.count};
	for (int i = 0; i < 4; i++)
		trace_writer_bind_u64(w, PUT_PAYLOADS, i + 1, fields[i]);
	trace_writer_bind_u64(w, PUT_PAYLOADS, 5, trace_row_checksum(fields, 4, data));
	trace_writer_bind_blob(w, PUT_PAYLOADS, 6, data.data, data.count);
	bool good = trace_writer_step(w, PUT_PAYLOADS, NULL);
	free(stored);
	p->heads.count = heads_count;
	w->put_bytes += stored_bytes - p->written_bytes;
	p->written_bytes = stored_bytes;
	p->written_count = p->count;
	return good;
}

bool trace_payloads_flush(struct trace_writer *w)
{
	return w->payloads.count == w->payloads.written_count || row_put(w);
}

/* Makes room for one more: a full row is written, and an empty one begun. */
static bool row_room(struct trace_writer *w, uint64_t event)
{
	struct trace_payloads *p = &w->payloads;
	if (p->count > 0 && p->count < TRACE_PAYLOADS_MAX && p->contents.count < TRACE_PAYLOADS_FULL_BYTES)
		return true;
	if (!trace_payloads_flush(w))
		return false;
	p->first_event = p->last_event = event;
	p->count = p->written_count = p->written_bytes = 0;
	p->heads.count = p->contents.count = 0;
	return true;
}

static bool payload_valid(struct trace_writer *w, uint64_t event, size_t bytes)
{
	const struct trace_payloads *p = &w->payloads;
	if (event <= INT64_MAX && bytes <= TRACE_PAYLOAD_BYTES_MAX && (!p->begun || event > p->last_event))
		return true;
	return error_set(&w->failed, STATUS_FAILED,
			 "%s: %zu bytes of event %llu, after those of event %llu: a bug of hvrec", w->path, bytes,
			 (unsigned long long)event, (unsigned long long)p->last_event);
}

bool trace_put_payload(struct trace_writer *w, uint64_t event, const void *data, size_t bytes, struct error *error)
{
	struct trace_payloads *p = &w->payloads;
	if (trace_writer_begin_devices(w) && payload_valid(w, event, bytes) && row_room(w, event)) {
		bytes_put_varint(&p->heads, event - p->last_event);
		bytes_put_varint(&p->heads, bytes);
		bytes_put(&p->contents, data, bytes);
		p->begun = true;
		p->last_event = event;
		p->count++;
		if (p->heads.failed || p->contents.failed)
			no_memory(w);
	}
	return trace_writer_report(w, error);
}

bool trace_payloads_count(struct trace_writer *w, uint64_t *count)
{
	sqlite3_stmt *row = w->statements[COUNT_PAYLOADS];
	int code = sqlite3_step(row);
	*count = trace_u64_from_sql(sqlite3_column_int64(row, 0));
	sqlite3_reset(row);
	return code == SQLITE_ROW || trace_writer_fail(w, code);
}
