/* Tables whose rows are events, all of them or those of some kinds: their methods, but for the columns of their own.
 * The first columns of each are event (the rowid, its index in the trace), n, time_ns and vcpu. */
#pragma once
#include "tools/sql/sql_range.h"
#include "tools/sql/sql_table.h"

enum { SQL_SCAN_EVENT, SQL_SCAN_N, SQL_SCAN_TIME_NS, SQL_SCAN_VCPU, SQL_SCAN_COLUMNS };

/* The beginning of each schema, and the columns that bounds are taken of. */
#define SQL_SCAN_SCHEMA "CREATE TABLE x(event INTEGER PRIMARY KEY, n INTEGER, time_ns INTEGER, vcpu INTEGER, "
#define SQL_SCAN_RANGE(kind_column)                                                                                    \
	{                                                                                                              \
		.fields = {SQL_SCAN_EVENT, SQL_SCAN_N, SQL_SCAN_TIME_NS}, .kind = (kind_column),                       \
		.rowid = SQL_RANGE_EVENT                                                                               \
	}
#define SQL_SCAN_KIND(kind) (UINT32_C(1) << (kind))

struct sql_scan {
	const char *schema;
	struct sql_range_columns columns;
	uint32_t kinds; /* SQL_SCAN_KIND of each that is a row; 0: all events */
};

struct sql_scan_cursor {
	sqlite3_vtab_cursor base;
	struct sql_range range;
	bool at_end;
	struct event_stream *stream; /* NULL: none was needed yet */
	struct event_at at;          /* the row */
};

/* What comes after sql_table_connect for a table of the scan, which lives as long as it. A table that fails is gone. */
int sql_scan_set(sqlite3 *db, sqlite3_vtab *table, const struct sql_scan *scan);

/* Methods of such a table. A cursor that is larger than struct sql_scan_cursor begins with it, and is made by a method
 * of its own. */
int sql_scan_best_index(sqlite3_vtab *table, sqlite3_index_info *info);
int sql_scan_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor);
int sql_scan_close(sqlite3_vtab_cursor *cursor);
int sql_scan_filter(sqlite3_vtab_cursor *cursor, int plan_number, const char *plan, int value_count,
		    sqlite3_value **values);
int sql_scan_next(sqlite3_vtab_cursor *cursor);
int sql_scan_eof(sqlite3_vtab_cursor *cursor);
int sql_scan_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid);

/* Gives the value of one of the first columns. False: it is none of them. */
bool sql_scan_column(const struct event_at *at, sqlite3_context *context, int column);

/* The module of a table, whose connect and column are its own. */
#define SQL_SCAN_MODULE(connect, open, close, column)                                                                  \
	{                                                                                                              \
		.xCreate = (connect), .xConnect = (connect), .xBestIndex = sql_scan_best_index,                        \
		.xDisconnect = sql_table_disconnect, .xDestroy = sql_table_disconnect, .xOpen = (open),                \
		.xClose = (close), .xFilter = sql_scan_filter, .xNext = sql_scan_next, .xEof = sql_scan_eof,           \
		.xColumn = (column), .xRowid = sql_scan_rowid,                                                         \
	}
