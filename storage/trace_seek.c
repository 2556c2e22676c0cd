/* Finding the place where a cursor begins, or goes on: by number, by n, by guest time. No place is before the first
 * event of the trace, also where its first chunk begins earlier. */
#include "storage/trace_cursor.h"
#include "storage/trace_format.h"

#include <stdlib.h>

static bool start(struct trace_cursor *c, uint64_t first_event)
{
	uint64_t event_count, last_n;
	if (!trace_get_end(c->reader, &event_count, &last_n, &c->failed))
		return false;
	if (first_event < c->reader->first_event)
		first_event = c->reader->first_event;
	return first_event <= event_count
		       ? trace_cursor_start(c, first_event)
		       : error_set(&c->failed, STATUS_FAILED, "%s: has %llu events, and event %llu was asked for",
				   c->reader->path, (unsigned long long)event_count, (unsigned long long)first_event);
}

static struct trace_cursor *cursor_new(struct trace_reader *r, struct error *error)
{
	struct trace_cursor *c = calloc(1, sizeof(*c));
	if (c)
		c->reader = r;
	else
		error_set(error, STATUS_FAILED, "%s: no memory", r->path);
	return c;
}

/* The cursor if it is `good`; else frees it and hands out why. */
static struct trace_cursor *cursor_if(bool good, struct trace_cursor *c, struct error *error)
{
	if (good)
		return c;
	error_set(error, STATUS_FAILED, "%s", c->failed.text);
	trace_cursor_free(c);
	return NULL;
}

struct trace_cursor *trace_seek(struct trace_reader *r, uint64_t first_event, struct error *error)
{
	struct trace_cursor *c = cursor_new(r, error);
	return c ? cursor_if(start(c, first_event), c, error) : NULL;
}

struct trace_cursor *trace_weigh(struct trace_reader *r, struct trace_weights *weights, struct error *error)
{
	*weights = (struct trace_weights){0};
	struct trace_cursor *c = cursor_new(r, error);
	if (!c)
		return NULL;
	c->weights = weights;
	return cursor_if(start(c, 0), c, error);
}

/* Where a chunk begins, by a query with one parameter. */
static bool chunk_find(struct trace_cursor *c, const char *sql, uint64_t parameter, uint64_t *first_event)
{
	sqlite3_stmt *statement = trace_reader_prepare(c->reader, sql, &c->failed);
	if (!statement)
		return false;
	sqlite3_bind_int64(statement, 1, trace_sql_from_u64(parameter));
	enum trace_found found = trace_reader_step(c->reader, statement, &c->failed);
	if (found == TRACE_FOUND)
		*first_event = trace_u64_from_sql(sqlite3_column_int64(statement, 0));
	sqlite3_finalize(statement);
	return found == TRACE_FOUND;
}

/* The limit of a search; the place is the first event at or after it. */
struct limit {
	uint64_t value;
	bool is_time; /* guest time, else n */
};

/* Skips what is before the limit, over the end of a chunk too. */
static bool skip(struct trace_cursor *c, const struct limit *limit)
{
	while (c->event_count) {
		while (c->at < c->event_count) {
			if (c->events[c->at].n + (limit->is_time ? c->idle_ns : 0) >= limit->value)
				return true;
			trace_cursor_skip(c);
		}
		if (!trace_cursor_load(c))
			return false;
	}
	return true;
}

static struct trace_cursor *seek_limit(struct trace_reader *r, const struct limit *limit, const char *sql,
				       struct error *error)
{
	struct trace_cursor *c = cursor_new(r, error);
	if (!c)
		return NULL;
	uint64_t first_event = 0;
	bool good = chunk_find(c, sql, limit->value, &first_event) && start(c, first_event) && skip(c, limit);
	return cursor_if(good, c, error);
}

/* The first chunk that does not end before it; else the end of the last one. */
struct trace_cursor *trace_seek_n(struct trace_reader *r, uint64_t n, struct error *error)
{
	static const char sql[] =
		"SELECT coalesce((SELECT first_event FROM main.chunk WHERE last_n >= ?1 ORDER BY first_event LIMIT 1), "
		"(SELECT first_event + event_count FROM main.chunk ORDER BY first_event DESC LIMIT 1), 0)";
	return seek_limit(r, &(struct limit){.value = n}, sql, error);
}

/* A row does not say when its last event is: the next one's start does. */
struct trace_cursor *trace_seek_ns(struct trace_reader *r, uint64_t ns, struct error *error)
{
	static const char sql[] =
		"SELECT ifnull((SELECT max(first_event) FROM main.chunk WHERE first_n + start_idle_ns < ?1), 0)";
	return seek_limit(r, &(struct limit){.value = ns, .is_time = true}, sql, error);
}

static uint64_t chunk_first(const struct trace_cursor *c)
{
	return c->wanted - c->event_count;
}

/* Goes to an event of the chunk, or to its first one that the trace has. */
static void go_to(struct trace_cursor *c, uint64_t event)
{
	size_t at = (size_t)((event > c->reader->first_event ? event : c->reader->first_event) - chunk_first(c));
	while (c->at > at)
		trace_cursor_step_back(c);
	while (c->at < at)
		trace_cursor_skip(c);
}

bool trace_cursor_try(struct trace_cursor *c, uint64_t event)
{
	if (c->failed.status != STATUS_OK || event < chunk_first(c) || event >= c->wanted)
		return false;
	go_to(c, event);
	return true;
}

/* The first event of the chunk whose n is at least `n`; there is one. */
static size_t first_at(const struct trace_cursor *c, uint64_t n)
{
	size_t low = 0, high = c->event_count - 1;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (c->events[middle].n < n)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool trace_cursor_try_n(struct trace_cursor *c, uint64_t n)
{
	/* events with the first one's n may be in the chunk before, too */
	if (c->failed.status != STATUS_OK || !c->event_count || n <= c->events[0].n ||
	    n > c->events[c->event_count - 1].n)
		return false;
	go_to(c, chunk_first(c) + first_at(c, n));
	return true;
}
