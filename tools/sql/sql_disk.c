/* The table disk: one row for each piece of a disk's request, and for each that failed. */
#include "tools/sql/sql_scan.h"

enum column { DISK = SQL_SCAN_COLUMNS, OP, SECTOR, BYTES };

static const struct sql_scan scan = {
	.schema = SQL_SCAN_SCHEMA "disk TEXT, op TEXT, sector INTEGER, bytes INTEGER)",
	.columns = SQL_SCAN_RANGE(-1),
	.kinds = SQL_SCAN_KIND(EVENT_DISK_READ) | SQL_SCAN_KIND(EVENT_DISK_WRITE) | SQL_SCAN_KIND(EVENT_DISK_FLUSH) |
		 SQL_SCAN_KIND(EVENT_DISK_ZERO) | SQL_SCAN_KIND(EVENT_DISK_ERROR),
};

static int disk_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **table,
			char **message)
{
	int code = sql_table_connect(db, connection, argc, argv, table, message);
	return code == SQLITE_OK ? sql_scan_set(db, *table, &scan) : code;
}

static const char *op_of(const struct event *event)
{
	switch (event->kind) {
	case EVENT_DISK_READ:
		return "read";
	case EVENT_DISK_WRITE:
		return "write";
	case EVENT_DISK_FLUSH:
		return "flush";
	case EVENT_DISK_ZERO:
		return "zero";
	default:
		return "error";
	}
}

static void result_bytes(sqlite3_context *context, const struct event *event)
{
	if (event->kind == EVENT_DISK_ZERO)
		sql_table_result(context, event->value);
	else if (event->kind == EVENT_DISK_READ || event->kind == EVENT_DISK_WRITE)
		sql_table_result(context, event_data_bytes(event));
}

static int disk_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
	const struct event_at *at = &((struct sql_scan_cursor *)cursor)->at;
	char name[VIRTIO_NAME_BYTES];
	if (sql_scan_column(at, context, column))
		return SQLITE_OK;
	switch ((enum column)column) {
	case DISK:
		virtio_list_name(&((struct sql_table *)cursor->pVtab)->devices, event_disk(&at->event), name);
		sqlite3_result_text(context, name, -1, SQLITE_TRANSIENT);
		break;
	case OP:
		sqlite3_result_text(context, op_of(&at->event), -1, SQLITE_STATIC);
		break;
	case SECTOR:
		if (at->event.kind != EVENT_DISK_FLUSH)
			sql_table_result(context, event_sector(&at->event));
		break;
	case BYTES:
		result_bytes(context, &at->event);
		break;
	}
	return SQLITE_OK;
}

const sqlite3_module sql_disk_module = SQL_SCAN_MODULE(disk_connect, sql_scan_open, sql_scan_close, disk_column);
