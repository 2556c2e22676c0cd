/* Payloads from the trace: the row that may have an event is found by sqlite's tree, decompressed, and kept until
 * another one is needed. */
#include "storage/trace_payload_read.h"
#include "storage/bytes.h"
#include "storage/trace_block_read.h"
#include "storage/trace_format.h"
#include "storage/trace_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROW "SELECT first_event, last_event, payload_count, raw_bytes, checksum, data FROM main.payload_group WHERE "
static const char row_of[] = ROW "first_event <= ?1 ORDER BY first_event DESC LIMIT 1";
static const char row_from[] = ROW "first_event >= ?1 ORDER BY first_event LIMIT 1";

enum { FIRST_EVENT, LAST_EVENT, PAYLOAD_COUNT, RAW_BYTES, CHECKSUM, DATA };

static bool damaged(const struct trace_reader *r, uint64_t event, const char *what, struct error *error)
{
	return error_set(error, STATUS_FAILED,
			 "%s: is damaged: what event %llu brought: %s; copy it again, or try hvrec repair", r->path,
			 (unsigned long long)event, what);
}

static bool no_memory(const struct trace_reader *r, struct error *error)
{
	return error_set(error, STATUS_FAILED, "%s: no memory for what events brought", r->path);
}

static bool row_valid(const uint64_t fields[4])
{
	return fields[FIRST_EVENT] <= fields[LAST_EVENT] && fields[LAST_EVENT] <= INT64_MAX &&
	       fields[PAYLOAD_COUNT] >= 1 && fields[PAYLOAD_COUNT] <= TRACE_PAYLOADS_MAX;
}

bool trace_payload_places(struct trace_payload_row *row, const uint64_t fields[4])
{
	struct cursor cursor = {.at = row->raw, .end = row->raw + fields[RAW_BYTES]};
	uint64_t event = fields[FIRST_EVENT], total = 0;
	if (!row_valid(fields))
		return false;
	size_t count = (size_t)fields[PAYLOAD_COUNT];
	for (size_t i = 0; i < count; i++) {
		uint64_t distance = cursor_get_varint(&cursor), bytes = cursor_get_varint(&cursor);
		if (cursor.failed || bytes > TRACE_PAYLOAD_BYTES_MAX || (distance == 0) != (i == 0) ||
		    distance > fields[LAST_EVENT] - event)
			return false;
		event += distance;
		row->places[i] = (struct trace_payload_place){event, (size_t)total, (size_t)bytes};
		total += bytes;
	}
	for (size_t i = 0; i < count; i++)
		row->places[i].at += (size_t)(cursor.at - row->raw);
	row->count = count;
	return event == fields[LAST_EVENT] && total == (uint64_t)(cursor.end - cursor.at);
}

/* Takes the row in. */
static bool row_take(struct trace_reader *r, sqlite3_stmt *statement, uint64_t event, struct error *error)
{
	struct trace_payload_row *row = r->payload_row;
	uint64_t fields[4] = {0};
	bool good = sqlite3_column_type(statement, DATA) == SQLITE_BLOB;
	for (int i = 0; i < DATA; i++) {
		good = good && sqlite3_column_type(statement, i) == SQLITE_INTEGER;
		if (i < CHECKSUM)
			fields[i] = trace_u64_from_sql(sqlite3_column_int64(statement, i));
	}
	if (!good)
		return damaged(r, event, "its row is none", error);
	uint64_t checksum = trace_u64_from_sql(sqlite3_column_int64(statement, CHECKSUM));
	struct trace_bytes data = {sqlite3_column_blob(statement, DATA), (size_t)sqlite3_column_bytes(statement, DATA)};
	if (!data.data || trace_row_checksum(fields, 4, data) != checksum)
		return damaged(r, event, "a checksum does not match", error);
	row->raw = trace_zstd_decompress(data.data, data.count, fields[RAW_BYTES], TRACE_PAYLOADS_RAW_BYTES_MAX);
	if (!row->raw)
		return errno == ENOMEM ? no_memory(r, error) : damaged(r, event, "it cannot be decompressed", error);
	return trace_payload_places(row, fields) || damaged(r, event, "its row is none", error);
}

/* Reads the row that `sql` finds for the event into r->payload_row; without one that is empty. */
static bool row_read(struct trace_reader *r, const char *sql, uint64_t event, struct error *error)
{
	bool has = false;
	free(r->payload_row->raw);
	r->payload_row->raw = NULL;
	r->payload_row->count = 0;
	if (!trace_reader_has_devices(r, &has, error))
		return false;
	if (!has || event > INT64_MAX)
		return true;
	sqlite3_stmt *statement = trace_reader_prepare(r, sql, error);
	if (statement)
		sqlite3_bind_int64(statement, 1, trace_sql_from_u64(event));
	enum trace_found found = statement ? trace_reader_step(r, statement, error) : TRACE_FAILED;
	bool good = found == TRACE_FOUND ? row_take(r, statement, event, error) : found == TRACE_ABSENT;
	sqlite3_finalize(statement);
	if (!good)
		r->payload_row->count = 0;
	return good;
}

static const struct trace_payload_place *place_find(const struct trace_payload_row *row, uint64_t event)
{
	size_t low = 0, high = row->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (row->places[middle].event < event)
			low = middle + 1;
		else
			high = middle;
	}
	return low < row->count && row->places[low].event == event ? &row->places[low] : NULL;
}

static bool row_room(struct trace_reader *r, struct error *error)
{
	if (!r->payload_row)
		r->payload_row = calloc(1, sizeof(*r->payload_row));
	return r->payload_row || no_memory(r, error);
}

enum trace_found trace_get_payload(struct trace_reader *r, uint64_t event, void **data, size_t *bytes,
				   struct error *error)
{
	if (!row_room(r, error))
		return TRACE_FAILED;
	const struct trace_payload_place *place = place_find(r->payload_row, event);
	if (!place && !row_read(r, row_of, event, error))
		return TRACE_FAILED;
	if (!place)
		place = place_find(r->payload_row, event);
	if (!place)
		return TRACE_ABSENT;
	uint8_t *copy = malloc(place->bytes + 1);
	if (!copy)
		return no_memory(r, error), TRACE_FAILED;
	memcpy(copy, r->payload_row->raw + place->at, place->bytes);
	copy[place->bytes] = 0;
	*data = copy;
	*bytes = place->bytes;
	return TRACE_FOUND;
}

const struct trace_payload_row *trace_payload_row_of(struct trace_reader *r, uint64_t event, struct error *error)
{
	return row_room(r, error) && row_read(r, row_of, event, error) ? r->payload_row : NULL;
}

const struct trace_payload_row *trace_payload_row_from(struct trace_reader *r, uint64_t event, struct error *error)
{
	return row_room(r, error) && row_read(r, row_from, event, error) ? r->payload_row : NULL;
}

void trace_payload_row_free(struct trace_payload_row *row)
{
	if (!row)
		return;
	free(row->raw);
	free(row);
}
