/* The table events: one row for each event, its rowid the event's index. A scan begins in the chunk that the range
 * begins in and ends after the range, so that no other chunk is read. What is not asked for is not decoded. */
#include "replay/trace/event_text.h"
#include "tools/sql/sql_range.h"
#include "tools/sql/sql_table.h"

#include <stdlib.h>

enum column { EVENT, N, TIME_NS, VCPU, KIND, PC, ADDRESS, VALUE, SIZE, NAME, TEXT };

static const char schema[] =
	"CREATE TABLE x(event INTEGER PRIMARY KEY, n INTEGER, time_ns INTEGER, vcpu INTEGER, kind TEXT, pc INTEGER, "
	"address INTEGER, value INTEGER, size INTEGER, name TEXT, text TEXT)";

static const struct sql_range_columns columns = {.fields = {EVENT, N, TIME_NS}, .kind = KIND, .rowid = SQL_RANGE_EVENT};

struct events_cursor {
	sqlite3_vtab_cursor base;
	struct sql_range range;
	bool at_end;
	struct event_stream *stream; /* NULL: none was needed yet */
	struct event_at at;          /* the row */
};

static int events_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **table,
			  char **message)
{
	int code = sqlite3_declare_vtab(db, schema);
	return code == SQLITE_OK ? sql_table_connect(db, connection, argc, argv, table, message) : code;
}

static int events_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	struct error error = {.status = STATUS_OK};
	struct trace_reader *trace = ((struct sql_table *)table)->trace;
	uint64_t event_count, last_n;
	if (!trace_get_end(trace, &event_count, &last_n, &error))
		return sql_table_fail(table, &error);
	return sql_range_plan(info, &columns, event_count - trace_first_event(trace));
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
	event_stream_free(c->stream);
	free(c);
	return SQLITE_OK;
}

static bool is_after(const struct sql_range *range, const struct event_at *at)
{
	return at->index > range->last[SQL_RANGE_EVENT] || at->event.n > range->last[SQL_RANGE_N] ||
	       at->guest_ns > range->last[SQL_RANGE_TIME_NS];
}

static int events_next(sqlite3_vtab_cursor *cursor)
{
	struct events_cursor *c = (struct events_cursor *)cursor;
	struct error error = {.status = STATUS_OK};
	bool found;
	do
		found = sql_table_next((struct sql_table *)cursor->pVtab, c->stream, &c->at, &error);
	while (found && c->range.kind && c->at.event.kind != c->range.kind && !is_after(&c->range, &c->at));
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
static bool at_hand(struct events_cursor *c)
{
	uint64_t event = c->range.first[SQL_RANGE_EVENT], n = c->range.first[SQL_RANGE_N];
	return c->stream && (event ? event_stream_try(c->stream, event) : event_stream_try_n(c->stream, n));
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
	event_stream_free(c->stream);
	c->stream = NULL;
	struct trace_cursor *from = seek(table->trace, &c->range, &c->at_end, &error);
	if (c->at_end)
		return SQLITE_OK;
	c->stream = sql_table_start(table, from, &error);
	return c->stream ? events_next(cursor) : sql_table_fail(cursor->pVtab, &error);
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

static void result_name(sqlite3_context *context, const struct event *event, const struct virtio_list *devices)
{
	char text[EVENT_TEXT_BYTES];
	if (event_text_name(event, devices, text, sizeof(text)))
		sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static void result_text(sqlite3_context *context, const struct event *event, const struct virtio_list *devices)
{
	char text[EVENT_TEXT_BYTES];
	event_text_meaning(event, devices, text, sizeof(text));
	sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static int events_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
	const struct event_at *at = &((struct events_cursor *)cursor)->at;
	const struct event *event = &at->event;
	const struct virtio_list *devices = &((struct sql_table *)cursor->pVtab)->devices;
	switch ((enum column)column) {
	case EVENT:
		sql_table_result(context, at->index);
		break;
	case N:
		sql_table_result(context, event->n);
		break;
	case TIME_NS:
		sql_table_result(context, at->guest_ns);
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
		result_name(context, event, devices);
		break;
	case TEXT:
		result_text(context, event, devices);
		break;
	}
	return SQLITE_OK;
}

static int events_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
	*rowid = (sqlite3_int64)((struct events_cursor *)cursor)->at.index;
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
