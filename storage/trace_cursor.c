/* The cursor: events in order, one decoded chunk in memory at a time. It checks each chunk on its own (bounds,
 * checksum, contents against the row) and against the one before (no gap, no overlap, n and idle time go on), before it
 * hands out any event of it. */
#include "storage/trace_cursor.h"
#include "storage/trace_format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum column { FIRST_EVENT, EVENT_COUNT, FIRST_N, LAST_N, START_IDLE_NS, RAW_BYTES, CHECKSUM, DATA };

static bool damaged(struct trace_cursor *c, const char *what)
{
	return error_set(&c->failed, STATUS_FAILED,
			 "%s: is damaged from event %llu on: %s; copy it again, or try hvrec repair", c->reader->path,
			 (unsigned long long)c->wanted, what);
}

static bool no_memory(struct trace_cursor *c)
{
	return error_set(&c->failed, STATUS_FAILED, "%s: no memory", c->reader->path);
}

static bool row_get(struct trace_cursor *c, struct trace_chunk *chunk)
{
	uint64_t *const fields[] = {&chunk->first_event, &chunk->event_count,   &chunk->first_n,
				    &chunk->last_n,      &chunk->start_idle_ns, &chunk->raw_bytes};
	for (int i = 0; i < DATA; i++) {
		if (sqlite3_column_type(c->rows, i) != SQLITE_INTEGER)
			return damaged(c, "a chunk's row holds no numbers");
		if (i < CHECKSUM)
			*fields[i] = trace_u64_from_sql(sqlite3_column_int64(c->rows, i));
	}
	if (sqlite3_column_type(c->rows, DATA) != SQLITE_BLOB)
		return damaged(c, "a chunk has no data");
	if (chunk->event_count < 1 || chunk->event_count > CHUNK_EVENTS_MAX || chunk->raw_bytes > CHUNK_RAW_BYTES_MAX)
		return damaged(c, "a chunk is larger than a chunk can be");
	return true;
}

static bool row_follows(struct trace_cursor *c, const struct trace_chunk *chunk)
{
	bool meets = c->started
			     ? chunk->first_event == c->wanted
			     : chunk->first_event <= c->wanted && c->wanted - chunk->first_event <= chunk->event_count;
	if (!meets)
		return damaged(c, "events are missing there");
	if (c->started && chunk->first_n < c->last_n)
		return damaged(c, "instruction counts go back");
	if (c->started && chunk->start_idle_ns != c->end_idle_ns)
		return damaged(c, "guest time jumps");
	return true;
}

/* The rest of the division goes to no kind, so that the sum is right. */
static void weigh(struct trace_weights *weights, const struct chunk_weights *chunk, uint64_t raw_bytes,
		  uint64_t stored_bytes)
{
	uint64_t left_bytes = stored_bytes;
	for (unsigned kind = 0; kind <= EVENT_KIND_MAX; kind++) {
		uint64_t share_bytes = stored_bytes * chunk->raw_bytes[kind] / raw_bytes;
		weights->raw_bytes[kind] += chunk->raw_bytes[kind];
		weights->stored_bytes[kind] += share_bytes;
		left_bytes -= share_bytes;
	}
	weights->stored_bytes[0] += left_bytes;
}

static bool data_decode(struct trace_cursor *c, const struct trace_chunk *chunk)
{
	const void *stored = sqlite3_column_blob(c->rows, DATA);
	size_t stored_bytes = (size_t)sqlite3_column_bytes(c->rows, DATA);
	uint64_t checksum = trace_u64_from_sql(sqlite3_column_int64(c->rows, CHECKSUM));
	if (!stored || trace_chunk_checksum(chunk, stored, stored_bytes) != checksum)
		return damaged(c, "a checksum does not match");
	uint8_t *raw = trace_decompress(stored, stored_bytes, chunk->raw_bytes);
	if (!raw)
		return errno == ENOMEM ? no_memory(c) : damaged(c, "a chunk cannot be decompressed");
	struct error why = {0};
	struct chunk_events events = {.at = c->events, .count = (size_t)chunk->event_count};
	struct chunk_weights weights = {0};
	errno = 0;
	bool good = chunk_weigh(raw, (size_t)chunk->raw_bytes, &events, c->weights ? &weights : NULL, &why);
	free(raw);
	if (!good)
		return errno == ENOMEM ? no_memory(c) : damaged(c, why.text);
	if (c->weights && chunk->raw_bytes > 0)
		weigh(c->weights, &weights, chunk->raw_bytes, stored_bytes);
	return events.start_idle_ns == chunk->start_idle_ns || damaged(c, "a chunk and its row disagree");
}

static bool events_agree(struct trace_cursor *c, const struct trace_chunk *chunk)
{
	size_t count = (size_t)chunk->event_count;
	if (c->events[0].n != chunk->first_n || c->events[count - 1].n != chunk->last_n)
		return damaged(c, "a chunk and its row disagree");
	for (size_t i = 1; i < count; i++) {
		if (c->events[i].n < c->events[i - 1].n)
			return damaged(c, "instruction counts go back");
	}
	return true;
}

static bool room_make(struct trace_cursor *c, size_t event_count)
{
	if (event_count <= c->event_room)
		return true;
	free(c->events);
	c->events = malloc(event_count * sizeof(*c->events));
	c->event_room = c->events ? event_count : 0;
	return c->events || no_memory(c);
}

bool trace_cursor_load(struct trace_cursor *c)
{
	struct trace_chunk chunk = {0};
	c->at = 0;
	c->event_count = 0;
	enum trace_found found = trace_reader_step(c->reader, c->rows, &c->failed);
	if (found != TRACE_FOUND)
		return found == TRACE_ABSENT;
	if (!row_get(c, &chunk) || !row_follows(c, &chunk) || !room_make(c, (size_t)chunk.event_count) ||
	    !data_decode(c, &chunk) || !events_agree(c, &chunk))
		return false;
	c->reader->chunks_read++;
	c->event_count = (size_t)chunk.event_count;
	c->idle_ns = c->start_idle_ns = chunk.start_idle_ns;
	while (c->at < c->wanted - chunk.first_event)
		trace_cursor_skip(c);
	c->end_idle_ns = c->idle_ns;
	for (size_t i = c->at; i < c->event_count; i++)
		c->end_idle_ns += event_idle_ns(&c->events[i]);
	c->started = true;
	c->last_n = chunk.last_n;
	c->wanted = chunk.first_event + chunk.event_count;
	return true;
}

bool trace_cursor_start(struct trace_cursor *c, uint64_t first_event)
{
	c->wanted = first_event;
	c->rows = trace_reader_prepare(
		c->reader,
		"SELECT first_event, event_count, first_n, last_n, start_idle_ns, raw_bytes, "
		"checksum, data FROM main.chunk WHERE first_event >= ifnull((SELECT max(first_event) FROM "
		"main.chunk WHERE first_event <= ?1), 0) ORDER BY first_event",
		&c->failed);
	return c->rows && sqlite3_bind_int64(c->rows, 1, trace_sql_from_u64(first_event)) == SQLITE_OK &&
	       trace_cursor_load(c);
}

void trace_cursor_skip(struct trace_cursor *c)
{
	c->idle_ns += event_idle_ns(&c->events[c->at++]);
}

void trace_cursor_step_back(struct trace_cursor *c)
{
	c->idle_ns -= event_idle_ns(&c->events[--c->at]);
}

int64_t trace_next(struct trace_cursor *c, struct event *out, size_t max, struct error *error)
{
	if (c->failed.status == STATUS_OK && c->at == c->event_count && c->event_count && max)
		trace_cursor_load(c);
	if (c->failed.status != STATUS_OK) {
		error_set(error, c->failed.status, "%s", c->failed.text);
		return -1;
	}
	size_t count = c->event_count - c->at;
	if (count > max)
		count = max;
	if (count)
		memcpy(out, c->events + c->at, count * sizeof(*out));
	for (size_t i = 0; i < count; i++)
		c->idle_ns += event_idle_ns(&c->events[c->at + i]);
	c->at += count;
	return (int64_t)count;
}

uint64_t trace_cursor_idle_ns(const struct trace_cursor *c)
{
	return c->idle_ns;
}

uint64_t trace_cursor_event(const struct trace_cursor *c)
{
	return c->wanted - (c->event_count - c->at);
}

void trace_cursor_free(struct trace_cursor *c)
{
	if (!c)
		return;
	sqlite3_finalize(c->rows);
	free(c->events);
	free(c);
}
