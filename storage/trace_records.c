/* Cells to records. A row that is longer than its page goes on in a chain of overflow pages; it is followed for as many
 * bytes as the row says to have, which are at most those of the whole file, so it ends. */
#include "storage/trace_records.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_INDEX_INNER = 2, PAGE_INDEX_LEAF = 10, PAGE_TABLE_LEAF = 13, FILE_HEADER_BYTES = 100 };
enum { ROW_BYTES_MAX = 1000000000 }; /* sqlite's own limit */

struct reader {
	const uint8_t *at, *end;
};

static bool get_u8(struct reader *r, uint8_t *value)
{
	if (r->at >= r->end)
		return false;
	*value = *r->at++;
	return true;
}

/* sqlite's own varint: big-endian, seven bits a byte, the ninth byte whole. */
static bool get_varint(struct reader *r, uint64_t *value)
{
	uint8_t byte = 0x80;
	*value = 0;
	for (unsigned i = 0; i < 9 && byte >= 0x80; i++) {
		if (!get_u8(r, &byte))
			return false;
		*value = i == 8 ? *value << 8 | byte : *value << 7 | (byte & 0x7f);
	}
	return true;
}

static const uint8_t *page_header(const uint8_t *page, uint32_t number)
{
	return number == 1 ? page + FILE_HEADER_BYTES : page;
}

uint16_t trace_records_count(struct trace_pages *pages, uint32_t number)
{
	const uint8_t *page = trace_pages_get(pages, number);
	if (!page)
		return 0;
	const uint8_t *header = page_header(page, number);
	if (header[0] != PAGE_INDEX_INNER && header[0] != PAGE_INDEX_LEAF && header[0] != PAGE_TABLE_LEAF)
		return 0;
	size_t most = trace_pages_bytes(pages) / 4; /* the smallest cell, and its pointer */
	uint16_t count = (uint16_t)(header[3] << 8 | header[4]);
	return count < most ? count : (uint16_t)most;
}

/* How many of the payload's bytes are on the page itself. */
static uint64_t local_bytes(uint64_t payload_bytes, size_t usable, bool table)
{
	uint64_t most = table ? usable - 35 : (usable - 12) * 64 / 255 - 23;
	uint64_t least = (usable - 12) * 32 / 255 - 23;
	uint64_t kept = least + (payload_bytes - least) % (usable - 4);
	if (payload_bytes <= most)
		return payload_bytes;
	return kept <= most ? kept : least;
}

/* Reads what is after the `done` bytes that record->payload has. */
static bool overflow_read(struct trace_pages *pages, uint32_t next, struct trace_record *record, uint64_t done,
			  uint64_t payload_bytes)
{
	size_t usable = trace_pages_bytes(pages) - 4;
	while (done < payload_bytes) {
		const uint8_t *page = trace_pages_get(pages, next);
		if (!page)
			return false;
		size_t bytes = payload_bytes - done < usable ? (size_t)(payload_bytes - done) : usable;
		memcpy(record->payload + done, page + 4, bytes);
		next = trace_pages_u32(page);
		done += bytes;
	}
	return true;
}

static bool room_make(struct trace_record *record, uint64_t bytes)
{
	if (bytes <= record->payload_room)
		return true;
	free(record->payload);
	record->payload = malloc((size_t)bytes);
	record->payload_room = record->payload ? (size_t)bytes : 0;
	return record->payload != NULL;
}

static bool payload_read(struct trace_pages *pages, struct reader *r, bool table, struct trace_record *record,
			 uint64_t *payload_bytes)
{
	uint64_t rowid = 0;
	if (!get_varint(r, payload_bytes) || (table && !get_varint(r, &rowid)))
		return false;
	record->has_rowid = table;
	record->rowid = (int64_t)rowid;
	if (*payload_bytes < 1 || *payload_bytes > ROW_BYTES_MAX || *payload_bytes > trace_pages_total_bytes(pages))
		return false;
	uint64_t local = local_bytes(*payload_bytes, trace_pages_bytes(pages), table);
	uint64_t link_bytes = local < *payload_bytes ? 4 : 0;
	if ((uint64_t)(r->end - r->at) < local + link_bytes || !room_make(record, *payload_bytes))
		return false;
	memcpy(record->payload, r->at, (size_t)local);
	return !link_bytes || overflow_read(pages, trace_pages_u32(r->at + local), record, local, *payload_bytes);
}

static uint64_t integer_bytes(uint64_t serial)
{
	static const uint8_t bytes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
	return bytes[serial];
}

/* One column's value, by its serial type; `values` stands at it. */
static bool column_read(uint64_t serial, struct reader *values, struct trace_column *column)
{
	bool text = serial >= 12 && serial % 2;
	uint64_t bytes = serial >= 12 ? (serial - 12) / 2 : serial < 10 ? integer_bytes(serial) : UINT64_MAX;
	if (bytes > (uint64_t)(values->end - values->at))
		return false;
	*column = (struct trace_column){.bytes = values->at, .byte_count = (size_t)bytes};
	values->at += bytes;
	if (serial >= 12) {
		column->type = text ? TRACE_COLUMN_TEXT : TRACE_COLUMN_BLOB;
		return true;
	}
	column->type = serial == 0 ? TRACE_COLUMN_NULL : serial == 7 ? TRACE_COLUMN_REAL : TRACE_COLUMN_INTEGER;
	uint64_t value = bytes > 0 && column->bytes[0] >= 0x80 ? UINT64_MAX : 0;
	for (uint64_t i = 0; i < bytes; i++)
		value = value << 8 | column->bytes[i];
	column->integer = serial == 9 ? 1 : (int64_t)value;
	return true;
}

static bool columns_read(struct trace_record *record, uint64_t payload_bytes)
{
	struct reader types = {record->payload, record->payload + payload_bytes};
	uint64_t header_bytes = 0;
	record->column_count = 0;
	if (!get_varint(&types, &header_bytes) || header_bytes > payload_bytes ||
	    record->payload + header_bytes < types.at)
		return false;
	struct reader values = {record->payload + header_bytes, types.end};
	types.end = record->payload + header_bytes;
	while (types.at < types.end) {
		uint64_t serial = 0;
		if (record->column_count == TRACE_RECORD_COLUMNS_MAX || !get_varint(&types, &serial) ||
		    !column_read(serial, &values, &record->columns[record->column_count]))
			return false;
		record->column_count++;
	}
	return true;
}

bool trace_records_get(struct trace_pages *pages, struct trace_cell cell, struct trace_record *record)
{
	const uint8_t *page = trace_pages_get(pages, cell.page);
	if (!page || cell.index >= trace_records_count(pages, cell.page))
		return false;
	const uint8_t *header = page_header(page, cell.page);
	const uint8_t *end = page + trace_pages_bytes(pages);
	bool inner = header[0] == PAGE_INDEX_INNER;
	const uint8_t *pointer = header + (inner ? 12 : 8) + (size_t)cell.index * 2;
	if (end - pointer < 2)
		return false;
	size_t offset = (size_t)pointer[0] << 8 | pointer[1];
	struct reader r = {page + offset + (inner ? 4 : 0), end};
	uint64_t payload_bytes = 0;
	return r.at < r.end && payload_read(pages, &r, header[0] == PAGE_TABLE_LEAF, record, &payload_bytes) &&
	       columns_read(record, payload_bytes);
}

void trace_record_free(struct trace_record *record)
{
	free(record->payload);
	*record = (struct trace_record){0};
}
