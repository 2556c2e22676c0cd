/* The list of what is registered. */
#include "tools/sql/sql_register.h"
#include "tools/sql/sql_table.h"
#include "storage/trace_format.h"

#include <stdlib.h>

/* Number of chunks that the tables of this connection have decoded so far. */
static void chunks_read(sqlite3_context *context, int argument_count, sqlite3_value **arguments)
{
	(void)argument_count;
	(void)arguments;
	const struct sql_connection *connection = sqlite3_user_data(context);
	sql_table_result(context, connection->chunks_read);
}

/* In a trace without the table `keyframe` the view is empty. */
static int keyframes_create(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(db, "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = 'keyframe'", -1,
			       &statement, NULL) != SQLITE_OK)
		return SQLITE_OK; /* main is no database: every query will say so */
	bool present = sqlite3_step(statement) == SQLITE_ROW;
	sqlite3_finalize(statement);
	return sqlite3_exec(db,
			    present ? "CREATE TEMP VIEW IF NOT EXISTS keyframes AS SELECT * FROM main.keyframe"
				    : "CREATE TEMP VIEW IF NOT EXISTS keyframes(event, n, time_ns) AS "
				      "SELECT 0, 0, 0 WHERE 0",
			    NULL, NULL, NULL);
}

int sql_register(sqlite3 *db)
{
	static const struct {
		const char *name;
		const sqlite3_module *module;
	} modules[] = {
		{"events", &sql_events_module},
		{"console", &sql_console_module},
		{"hvrec_events", &sql_events_module},
		{"hvrec_console", &sql_console_module},
	};
	struct sql_connection *connection = calloc(1, sizeof(*connection));
	if (!connection)
		return SQLITE_NOMEM;
	/* the function owns `connection`: free is called when db is closed, and if this fails */
	int code = sqlite3_create_function_v2(db, "hvrec_chunks_read", 0, SQLITE_UTF8, connection, chunks_read, NULL,
					      NULL, free);
	for (size_t i = 0; code == SQLITE_OK && i < sizeof(modules) / sizeof(modules[0]); i++)
		code = sqlite3_create_module_v2(db, modules[i].name, modules[i].module, connection, NULL);
	return code == SQLITE_OK ? keyframes_create(db) : code;
}
