/* The table console: one row for each line that the guest printed, with the place of its first byte; its rowid is the
 * line's number, from 1. Lines are counted from the start of the trace, so every query reads it from there, up to the
 * end of the range that it asks for. */
#include "replay/trace/console_lines.h"
#include "tools/sql/sql_range.h"
#include "tools/sql/sql_table.h"

#include <stdlib.h>

enum column { LINE, EVENT, N, TIME_NS, TEXT };

static const char schema[] =
	"CREATE TABLE x(line INTEGER PRIMARY KEY, event INTEGER, n INTEGER, time_ns INTEGER, text TEXT)";

static const struct sql_range_columns columns = {
	.fields = {EVENT, N, TIME_NS}, .kind = -1, .rowid = SQL_RANGE_FIELD_COUNT};

struct console_cursor {
	sqlite3_vtab_cursor base;
	struct sql_range range;
	bool at_end;
	bool scanned; /* there are no events left */
	struct event_stream *stream;
	struct console_lines lines;
};

static int console_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **table,
			   char **message)
{
	int code = sqlite3_declare_vtab(db, schema);
	return code == SQLITE_OK ? sql_table_connect(db, connection, argc, argv, table, message) : code;
}

static int console_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	struct error error = {.status = STATUS_OK};
	struct trace_reader *trace = ((struct sql_table *)table)->trace;
	uint64_t event_count, last_n;
	if (!trace_get_end(trace, &event_count, &last_n, &error))
		return sql_table_fail(table, &error);
	return sql_range_plan(info, &columns, event_count - trace_first_event(trace));
}

static int console_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
	(void)table;
	struct console_cursor *made = calloc(1, sizeof(*made));
	if (!made)
		return SQLITE_NOMEM;
	*cursor = &made->base;
	return SQLITE_OK;
}

static int console_close(sqlite3_vtab_cursor *cursor)
{
	struct console_cursor *c = (struct console_cursor *)cursor;
	event_stream_free(c->stream);
	free(c);
	return SQLITE_OK;
}

static bool is_after(const struct sql_range *range, const struct event_at *at)
{
	return at->index > range->last[SQL_RANGE_EVENT] || at->event.n > range->last[SQL_RANGE_N] ||
	       at->guest_ns > range->last[SQL_RANGE_TIME_NS];
}

/* Scans on until a line is complete. A line that begins in the range may be completed after it. */
static bool line_next(struct console_cursor *c, struct error *error)
{
	struct event_at at;
	while (!c->scanned) {
		c->scanned = !sql_table_next((struct sql_table *)c->base.pVtab, c->stream, &at, error);
		if (c->scanned)
			break;
		if (!c->lines.open && is_after(&c->range, &at))
			return false;
		if (console_lines_take(&c->lines, &at))
			return true;
	}
	return error->status == STATUS_OK && console_lines_end(&c->lines);
}

static int console_next(sqlite3_vtab_cursor *cursor)
{
	struct console_cursor *c = (struct console_cursor *)cursor;
	struct error error = {.status = STATUS_OK};
	c->at_end = !line_next(c, &error);
	return error.status == STATUS_OK ? SQLITE_OK : sql_table_fail(cursor->pVtab, &error);
}

static int console_filter(sqlite3_vtab_cursor *cursor, int plan_number, const char *plan, int value_count,
			  sqlite3_value **values)
{
	(void)plan_number;
	struct console_cursor *c = (struct console_cursor *)cursor;
	struct sql_table *table = (struct sql_table *)cursor->pVtab;
	struct error error = {.status = STATUS_OK};
	event_stream_free(c->stream);
	c->scanned = false;
	console_lines_start(&c->lines, NULL);
	sql_range_get(&c->range, plan, value_count, values);
	c->stream = sql_table_start(table, trace_seek(table->trace, 0, &error), &error);
	return c->stream ? console_next(cursor) : sql_table_fail(cursor->pVtab, &error);
}

static int console_eof(sqlite3_vtab_cursor *cursor)
{
	return ((struct console_cursor *)cursor)->at_end;
}

static int console_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
	const struct console_line *line = &((struct console_cursor *)cursor)->lines.line;
	switch ((enum column)column) {
	case LINE:
		sql_table_result(context, line->number);
		break;
	case EVENT:
		sql_table_result(context, line->event);
		break;
	case N:
		sql_table_result(context, line->n);
		break;
	case TIME_NS:
		sql_table_result(context, line->guest_ns);
		break;
	case TEXT:
		sqlite3_result_text(context, line->text, (int)line->text_bytes, SQLITE_TRANSIENT);
		break;
	}
	return SQLITE_OK;
}

static int console_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
	*rowid = (sqlite3_int64)((struct console_cursor *)cursor)->lines.line.number;
	return SQLITE_OK;
}

const sqlite3_module sql_console_module = {
	.xCreate = console_connect,
	.xConnect = console_connect,
	.xBestIndex = console_best_index,
	.xDisconnect = sql_table_disconnect,
	.xDestroy = sql_table_disconnect,
	.xOpen = console_open,
	.xClose = console_close,
	.xFilter = console_filter,
	.xNext = console_next,
	.xEof = console_eof,
	.xColumn = console_column,
	.xRowid = console_rowid,
};
