/* A scan begins in the chunk that the range begins in and ends after the range, so that no other chunk is read. What is
 * not asked for is not decoded. */
#include "tools/sql/sql_scan.h"

#include <stdlib.h>

int sql_scan_set(sqlite3 *db, sqlite3_vtab *table, const struct sql_scan *scan)
{
	int code = sqlite3_declare_vtab(db, scan->schema);
	((struct sql_table *)table)->scan = scan;
	if (code != SQLITE_OK)
		sql_table_disconnect(table);
	return code;
}

int sql_scan_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	struct error error = {.status = STATUS_OK};
	struct trace_reader *trace = ((struct sql_table *)table)->trace;
	uint64_t event_count, last_n;
	if (!trace_get_end(trace, &event_count, &last_n, &error))
		return sql_table_fail(table, &error);
	return sql_range_plan(info, &((struct sql_table *)table)->scan->columns,
			      event_count - trace_first_event(trace));
}

int sql_scan_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
	(void)table;
	struct sql_scan_cursor *made = calloc(1, sizeof(*made));
	if (!made)
		return SQLITE_NOMEM;
	*cursor = &made->base;
	return SQLITE_OK;
}

int sql_scan_close(sqlite3_vtab_cursor *cursor)
{
	struct sql_scan_cursor *c = (struct sql_scan_cursor *)cursor;
	event_stream_free(c->stream);
	free(c);
	return SQLITE_OK;
}

static bool is_after(const struct sql_range *range, const struct event_at *at)
{
	return at->index > range->last[SQL_RANGE_EVENT] || at->event.n > range->last[SQL_RANGE_N] ||
	       at->guest_ns > range->last[SQL_RANGE_TIME_NS];
}

static bool is_wanted(const struct sql_scan *scan, const struct sql_range *range, const struct event *event)
{
	bool in_table =
		scan->kinds == 0 || (event->kind <= EVENT_KIND_MAX && (scan->kinds & SQL_SCAN_KIND(event->kind)) != 0);
	return in_table && (range->kind == 0 || event->kind == range->kind);
}

int sql_scan_next(sqlite3_vtab_cursor *cursor)
{
	struct sql_scan_cursor *c = (struct sql_scan_cursor *)cursor;
	struct sql_table *table = (struct sql_table *)cursor->pVtab;
	struct error error = {.status = STATUS_OK};
	bool found;
	do
		found = sql_table_next(table, c->stream, &c->at, &error);
	while (found && !is_wanted(table->scan, &c->range, &c->at.event) && !is_after(&c->range, &c->at));
	c->at_end = !found || is_after(&c->range, &c->at);
	return error.status == STATUS_OK ? SQLITE_OK : sql_table_fail(cursor->pVtab, &error);
}

/* A cursor where the range begins; *empty if that is after the last event. */
static struct trace_cursor *seek(struct trace_reader *trace, const struct sql_range *range, bool *empty,
				 struct error *error)
{
	uint64_t event_count, last_n, last_event = range->last[SQL_RANGE_EVENT];
	if (!trace_get_end(trace, &event_count, &last_n, error))
		return NULL;
	*empty = range->first[SQL_RANGE_EVENT] >= event_count || range->first[SQL_RANGE_EVENT] > last_event ||
		 range->first[SQL_RANGE_N] > last_n || range->first[SQL_RANGE_N] > range->last[SQL_RANGE_N] ||
		 range->first[SQL_RANGE_TIME_NS] > range->last[SQL_RANGE_TIME_NS];
	if (*empty)
		return NULL;
	if (range->first[SQL_RANGE_EVENT])
		return trace_seek(trace, range->first[SQL_RANGE_EVENT], error);
	if (range->first[SQL_RANGE_N])
		return trace_seek_n(trace, range->first[SQL_RANGE_N], error);
	return range->first[SQL_RANGE_TIME_NS] ? trace_seek_ns(trace, range->first[SQL_RANGE_TIME_NS], error)
					       : trace_seek(trace, 0, error);
}

/* The inner table of a join is filtered once for each row of the outer one, and often near the last place. */
static bool at_hand(struct sql_scan_cursor *c)
{
	uint64_t event = c->range.first[SQL_RANGE_EVENT], n = c->range.first[SQL_RANGE_N];
	return c->stream && (event ? event_stream_try(c->stream, event) : event_stream_try_n(c->stream, n));
}

int sql_scan_filter(sqlite3_vtab_cursor *cursor, int plan_number, const char *plan, int value_count,
		    sqlite3_value **values)
{
	(void)plan_number;
	struct sql_scan_cursor *c = (struct sql_scan_cursor *)cursor;
	struct sql_table *table = (struct sql_table *)cursor->pVtab;
	struct error error = {.status = STATUS_OK};
	sql_range_get(&c->range, plan, value_count, values);
	c->at_end = false;
	if (at_hand(c))
		return sql_scan_next(cursor);
	event_stream_free(c->stream);
	c->stream = NULL;
	struct trace_cursor *from = seek(table->trace, &c->range, &c->at_end, &error);
	if (c->at_end)
		return SQLITE_OK;
	c->stream = sql_table_start(table, from, &error);
	return c->stream ? sql_scan_next(cursor) : sql_table_fail(cursor->pVtab, &error);
}

int sql_scan_eof(sqlite3_vtab_cursor *cursor)
{
	return ((struct sql_scan_cursor *)cursor)->at_end;
}

int sql_scan_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
	*rowid = (sqlite3_int64)((struct sql_scan_cursor *)cursor)->at.index;
	return SQLITE_OK;
}

bool sql_scan_column(const struct event_at *at, sqlite3_context *context, int column)
{
	switch (column) {
	case SQL_SCAN_EVENT:
		sql_table_result(context, at->index);
		return true;
	case SQL_SCAN_N:
		sql_table_result(context, at->event.n);
		return true;
	case SQL_SCAN_TIME_NS:
		sql_table_result(context, at->guest_ns);
		return true;
	case SQL_SCAN_VCPU:
		sqlite3_result_int(context, at->event.vcpu);
		return true;
	default:
		return false;
	}
}
