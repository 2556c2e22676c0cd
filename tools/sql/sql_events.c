/* The table events: one row for each event. */
#include "replay/trace/event_text.h"
#include "tools/sql/sql_scan.h"

enum column { KIND = SQL_SCAN_COLUMNS, PC, ADDRESS, VALUE, SIZE, NAME, TEXT };

static const struct sql_scan scan = {
	.schema = SQL_SCAN_SCHEMA
	"kind TEXT, pc INTEGER, address INTEGER, value INTEGER, size INTEGER, name TEXT, text TEXT)",
	.columns = SQL_SCAN_RANGE(KIND),
};

static int events_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **table,
			  char **message)
{
	int code = sql_table_connect(db, connection, argc, argv, table, message);
	return code == SQLITE_OK ? sql_scan_set(db, *table, &scan) : code;
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
	const struct event_at *at = &((struct sql_scan_cursor *)cursor)->at;
	const struct event *event = &at->event;
	const struct virtio_list *devices = &((struct sql_table *)cursor->pVtab)->devices;
	if (sql_scan_column(at, context, column))
		return SQLITE_OK;
	switch ((enum column)column) {
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

const sqlite3_module sql_events_module = SQL_SCAN_MODULE(events_connect, sql_scan_open, sql_scan_close, events_column);
