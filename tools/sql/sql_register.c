/* The list of what is registered. */
#include "tools/sql/sql_register.h"
#include "storage/trace_format.h"
#include "tools/sql/sql_table.h"

#include <stdlib.h>

/* Number of chunks that the tables of this connection have decoded so far. */
static void chunks_read(sqlite3_context *context, int argument_count, sqlite3_value **arguments)
{
	(void)argument_count;
	(void)arguments;
	const struct sql_connection *connection = sqlite3_user_data(context);
	sql_table_result(context, connection->chunks_read);
}

/* Guest time is known at events: n, and the idle time before the next event, or, at the end, after the last one. A
 * keyframe that was committed before its events is none yet. Without the casts the columns would have no type, and no
 * number be equal to a text with its digits. */
#define KEYFRAMES                                                                                                      \
	"CREATE TEMP VIEW IF NOT EXISTS keyframes(n, time_ns, next_event, page_count, state_bytes, stored_bytes) AS "
#define ITS_GROUPS "FROM main.page_group WHERE id >= first_group AND id < first_group + group_count"
static const char keyframes_sql[] = KEYFRAMES
	"SELECT n, CAST(n + coalesce("
	" (SELECT time_ns - e.n FROM hvrec_events e WHERE event = next_event),"
	" (SELECT time_ns - e.n + iif(kind = 'IDLE', value, 0) FROM hvrec_events e WHERE event = next_event - 1), 0)"
	" AS INTEGER), next_event, CAST((SELECT ifnull(sum(page_count), 0) " ITS_GROUPS ") AS INTEGER), state_bytes,"
	" CAST(length(state) + length(same)"
	" + (SELECT ifnull(sum(length(indexes) + length(data)), 0) " ITS_GROUPS ") AS INTEGER) "
	"FROM main.keyframe WHERE next_event <= ifnull("
	" (SELECT first_event + event_count FROM main.chunk ORDER BY first_event DESC LIMIT 1), 0) ORDER BY n";
static const char no_keyframes_sql[] = KEYFRAMES "SELECT 0, 0, 0, 0, 0, 0 WHERE 0";

/* A SWITCH ends a turn, and the trace's end the last one. Its text says why: "SWITCH to vCPU 1 from vCPU 0: spins". */
#define LAST_EVENT            "(SELECT max(first_event + event_count) - 1 FROM main.chunk)"
#define BEFORE(column, first) "CAST(lag(" column ", 1, " first ") OVER (ORDER BY event, reason IS NULL) AS INTEGER)"
#define START_N               "coalesce((SELECT value FROM main.meta WHERE key = 'start_n'), 0)"
static const char turns_sql[] =
	"CREATE TEMP VIEW IF NOT EXISTS turns(vcpu, n, end_n, time_ns, end_ns, reason) AS "
	"WITH ends AS ("
	" SELECT event, vcpu, n, time_ns, substr(text, instr(text, ': ') + 2) AS reason"
	" FROM hvrec_events WHERE kind = 'SWITCH' UNION ALL"
	" SELECT event, iif(kind = 'SWITCH', address, vcpu), n, time_ns + iif(kind = 'IDLE', value, 0), NULL"
	" FROM hvrec_events WHERE event = " LAST_EVENT ") "
	"SELECT vcpu, " BEFORE("n", START_N) ", n, " BEFORE(
		"time_ns", "(SELECT time_ns - n FROM hvrec_events ORDER BY event LIMIT 1) "
			   "+ " START_N) ", time_ns, reason "
					 "FROM ends ORDER BY event, reason IS NULL";

/* A trace of version 1 has no keyframes, whatever further tables it has. */
static int keyframes_create(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(db, "PRAGMA main.user_version", -1, &statement, NULL) != SQLITE_OK)
		return SQLITE_OK; /* main is no database: every query will say so */
	bool present = sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int(statement, 0) >= 2;
	sqlite3_finalize(statement);
	return sqlite3_exec(db, present ? keyframes_sql : no_keyframes_sql, NULL, NULL, NULL);
}

int sql_register(sqlite3 *db)
{
	static const struct {
		const char *name;
		const sqlite3_module *module;
	} modules[] = {
		{"events", &sql_events_module},       {"console", &sql_console_module},
		{"disk", &sql_disk_module},           {"packets", &sql_packets_module},
		{"hvrec_events", &sql_events_module}, {"hvrec_console", &sql_console_module},
		{"hvrec_disk", &sql_disk_module},     {"hvrec_packets", &sql_packets_module},
	};
	struct sql_connection *connection = calloc(1, sizeof(*connection));
	if (!connection)
		return SQLITE_NOMEM;
	/* the function owns `connection`: free is called when db is closed, and if this fails */
	int code = sqlite3_create_function_v2(db, "hvrec_chunks_read", 0, SQLITE_UTF8, connection, chunks_read, NULL,
					      NULL, free);
	for (size_t i = 0; code == SQLITE_OK && i < sizeof(modules) / sizeof(modules[0]); i++)
		code = sqlite3_create_module_v2(db, modules[i].name, modules[i].module, connection, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, turns_sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? keyframes_create(db) : code;
}
