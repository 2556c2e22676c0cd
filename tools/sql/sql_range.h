/* What of a query the tables use themselves: ranges of event, n and time_ns, and one kind. sqlite plans with
 * sql_range_plan (xBestIndex) and hands the values to sql_range_get (xFilter).
 * A range may hold more rows than the query asks for, never fewer: sqlite checks each row again. */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

enum sql_range_field { SQL_RANGE_EVENT, SQL_RANGE_N, SQL_RANGE_TIME_NS, SQL_RANGE_FIELD_COUNT };

struct sql_range {
	uint64_t first[SQL_RANGE_FIELD_COUNT], last[SQL_RANGE_FIELD_COUNT]; /* inclusive; 0 and UINT64_MAX: no limit */
	int kind;                                                           /* 0: any */
};

/* The numbers of a table's columns; -1 for one that it does not have. */
struct sql_range_columns {
	int fields[SQL_RANGE_FIELD_COUNT];
	int kind;
	enum sql_range_field rowid; /* the field that the rowid is; SQL_RANGE_FIELD_COUNT: none of them */
};

/* Fills the plan for a table of about `event_count` events, whose rows come in the order of events. Returns sqlite's
 * code. */
int sql_range_plan(sqlite3_index_info *info, const struct sql_range_columns *columns, uint64_t event_count);

/* The range of a plan. Cannot fail: a value that is no number limits nothing. */
void sql_range_get(struct sql_range *range, const char *plan, int value_count, sqlite3_value **values);
