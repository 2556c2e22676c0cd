/* The table events: one row for each event, its rowid the event's index. A scan begins in the chunk that the range
 * begins in and ends behind the range, so that no other chunk is read. What is not asked for is not decoded. */
#include "replay/event_text.h"
#include "sql/sql_range.h"
#include "sql/sql_table.h"

#include <stdlib.h>

enum column { EVENT, N, TIME_NS, VCPU, KIND, PC, ADDRESS, VALUE, SIZE, NAME, TEXT };

static const char schema[] =
	"CREATE TABLE x(event INTEGER PRIMARY KEY, n INTEGER, time_ns INTEGER, vcpu INTEGER, kind TEXT, pc INTEGER, "
	"address INTEGER, value INTEGER, size INTEGER, name TEXT, text TEXT)";

static const struct sql_range_columns columns = {.fields = {EVENT, N, TIME_NS}, .kind = KIND};

struct events_cursor {
	sqlite3_vtab_cursor base;
	struct sql_range range;
	bool at_end;
	struct trace_scan scan;
};

static int events_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **table,
			  char **message)
{
	return sql_table_connect(db, connection, argc, argv, schema, table, message);
}

static int events_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	struct error error = {.status = STATUS_OK};
	struct trace_totals totals;
	if (!trace_get_totals(((struct sql_table *)table)->trace, &totals, &error))
		return sql_table_fail(table, &error);
	return sql_range_plan(info, &columns, totals.event_count);
}

static int events_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
	(void)table;
	struct events_cursor *made = calloc(1, sizeof(*made));
	if (!made)
		return SQLITE_NOMEM;
	*cursor = &made->base;
	return SQLITE_OK;
}

static int events_close(sqlite3_vtab_cursor *cursor)
{
	struct events_cursor *c = (struct events_cursor *)cursor;
	trace_scan_end(&c->scan);
	free(c);
	return SQLITE_OK;
}

static bool behind(const struct sql_range *range, const struct trace_scan *scan)
{
	return scan->index > range->last[SQL_RANGE_EVENT] || trace_scan_event(scan)->n > range->last[SQL_RANGE_N] ||
	       trace_scan_time_ns(scan) > range->last[SQL_RANGE_TIME_NS];
}

static int events_next(sqlite3_vtab_cursor *cursor)
{
	struct events_cursor *c = (struct events_cursor *)cursor;
	struct error error = {.status = STATUS_OK};
	enum trace_found found;
	do
		found = sql_table_next((struct sql_table *)cursor->pVtab, &c->scan, &error);
	while (found == TRACE_FOUND && c->range.kind && trace_scan_event(&c->scan)->kind != c->range.kind &&
	       !behind(&c->range, &c->scan));
	if (found == TRACE_FAILED)
		return sql_table_fail(cursor->pVtab, &error);
	c->at_end = found == TRACE_ABSENT || behind(&c->range, &c->scan);
	return SQLITE_OK;
}

/* A cursor where the range begins; *empty if that is behind the last event. */
static struct trace_cursor *seek(struct trace_reader *trace, const struct sql_range *range, bool *empty,
				 struct error *error)
{
	struct trace_totals totals;
	if (!trace_get_totals(trace, &totals, error))
		return NULL;
	uint64_t last_event = range->last[SQL_RANGE_EVENT];
	*empty = range->first[SQL_RANGE_EVENT] >= totals.event_count || range->first[SQL_RANGE_EVENT] > last_event ||
		 range->first[SQL_RANGE_N] > totals.last_n || range->first[SQL_RANGE_N] > range->last[SQL_RANGE_N] ||
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
static bool at_hand(struct events_cursor *c)
{
	uint64_t event = c->range.first[SQL_RANGE_EVENT], n = c->range.first[SQL_RANGE_N];
	if (!c->scan.cursor ||
	    !(event ? trace_cursor_try(c->scan.cursor, event) : trace_cursor_try_n(c->scan.cursor, n)))
		return false;
	trace_scan_start(&c->scan, c->scan.cursor);
	return true;
}

static int events_filter(sqlite3_vtab_cursor *cursor, int plan_number, const char *plan, int value_count,
			 sqlite3_value **values)
{
	(void)plan_number;
	struct events_cursor *c = (struct events_cursor *)cursor;
	struct sql_table *table = (struct sql_table *)cursor->pVtab;
	struct error error = {.status = STATUS_OK};
	sql_range_get(&c->range, plan, value_count, values);
	c->at_end = false;
	if (at_hand(c))
		return events_next(cursor);
	trace_scan_end(&c->scan);
	struct trace_cursor *at = seek(table->trace, &c->range, &c->at_end, &error);
	if (c->at_end)
		return SQLITE_OK;
	return sql_table_start(table, &c->scan, at) ? events_next(cursor) : sql_table_fail(cursor->pVtab, &error);
}

static int events_eof(sqlite3_vtab_cursor *cursor)
{
	return ((struct events_cursor *)cursor)->at_end;
}

static void result_kind(sqlite3_context *context, const struct event *event)
{
	const char *name = event_text_kind(event->kind);
	if (name)
		sqlite3_result_text(context, name, -1, SQLITE_STATIC);
	else
		sqlite3_result_int(context, event->kind);
}

static void result_name(sqlite3_context *context, const struct event *event)
{
	char text[EVENT_TEXT_BYTES];
	if (event_text_name(event, text, sizeof(text)))
		sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static void result_text(sqlite3_context *context, const struct event *event)
{
	char text[EVENT_TEXT_BYTES];
	event_text_meaning(event, text, sizeof(text));
	sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static int events_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
	const struct trace_scan *scan = &((struct events_cursor *)cursor)->scan;
	const struct event *event = trace_scan_event(scan);
	switch ((enum column)column) {
	case EVENT:
		sql_table_result(context, scan->index);
		break;
	case N:
		sql_table_result(context, event->n);
		break;
	case TIME_NS:
		sql_table_result(context, trace_scan_time_ns(scan));
		break;
	case VCPU:
		sqlite3_result_int(context, event->vcpu);
		break;
	case KIND:
		result_kind(context, event);
		break;
	case PC:
		sql_table_result(context, event->pc);
		break;
	case ADDRESS:
		sql_table_result(context, event->address);
		break;
	case VALUE:
		sql_table_result(context, event->value);
		break;
	case SIZE:
		sqlite3_result_int(context, event->size);
		break;
	case NAME:
		result_name(context, event);
		break;
	case TEXT:
		result_text(context, event);
		break;
	}
	return SQLITE_OK;
}

static int events_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
	*rowid = (sqlite3_int64)((struct events_cursor *)cursor)->scan.index;
	return SQLITE_OK;
}

const sqlite3_module sql_events_module = {
	.xCreate = events_connect,
	.xConnect = events_connect,
	.xBestIndex = events_best_index,
	.xDisconnect = sql_table_disconnect,
	.xDestroy = sql_table_disconnect,
	.xOpen = events_open,
	.xClose = events_close,
	.xFilter = events_filter,
	.xNext = events_next,
	.xEof = events_eof,
	.xColumn = events_column,
	.xRowid = events_rowid,
};
