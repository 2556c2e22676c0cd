/* Connecting a virtual table to its trace. */
#include "tools/sql/sql_table.h"
#include "storage/trace_format.h"
#include "storage/trace_reader.h"

#include <stdlib.h>
#include <string.h>

/* The text of a module argument, which comes as it was written: without quotes and the space around it. */
static char *unquoted(const char *argument)
{
	while (*argument == ' ')
		argument++;
	char *text = sqlite3_mprintf("%s", argument);
	char quote = *argument;
	if (!text || (quote != '\'' && quote != '"'))
		return text;
	size_t to = 0;
	for (const char *from = argument + 1; *from && (*from != quote || from[1] == quote); from++) {
		from += *from == quote;
		text[to++] = *from;
	}
	text[to] = 0;
	return text;
}

/* A file that is named in the schema of a trace would be opened by whoever looks at that trace: hence temp only. */
static struct trace_reader *trace_of(sqlite3 *db, int argc, const char *const *argv, struct error *error)
{
	enum { DATABASE = 1, ARGUMENT = 3 };
	if (argc <= ARGUMENT)
		return trace_reader_borrow(db, error);
	if (argc > ARGUMENT + 1 || strcmp(argv[DATABASE], "temp") != 0) {
		error_set(error, STATUS_FAILED,
			  "a table of another trace is CREATE VIRTUAL TABLE temp.NAME USING %s('FILE')", argv[0]);
		return NULL;
	}
	char *path = unquoted(argv[ARGUMENT]);
	struct trace_reader *trace = path ? trace_open(path, error) : NULL;
	if (!path)
		error_set(error, STATUS_FAILED, "no memory");
	sqlite3_free(path);
	return trace;
}

int sql_table_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **table,
		      char **message)
{
	struct error error = {.status = STATUS_OK};
	struct sql_table *made = calloc(1, sizeof(*made));
	if (!made)
		return SQLITE_NOMEM;
	made->connection = connection;
	made->trace = trace_of(db, argc, argv, &error);
	if (!made->trace || !metadata_devices(made->trace, &made->devices, &error)) {
		trace_close(made->trace);
		free(made);
		*message = sqlite3_mprintf("%s", error.text);
		return SQLITE_ERROR;
	}
	*table = &made->base;
	return SQLITE_OK;
}

int sql_table_disconnect(sqlite3_vtab *table)
{
	struct sql_table *mine = (struct sql_table *)table;
	trace_close(mine->trace);
	free(mine);
	return SQLITE_OK;
}

int sql_table_fail(sqlite3_vtab *table, const struct error *error)
{
	sqlite3_free(table->zErrMsg);
	table->zErrMsg = sqlite3_mprintf("%s", error->text);
	return SQLITE_ERROR;
}

static void count_chunks(struct sql_table *table)
{
	uint64_t read = trace_chunks_read(table->trace);
	table->connection->chunks_read += read - table->chunks_counted;
	table->chunks_counted = read;
}

struct event_stream *sql_table_start(struct sql_table *table, struct trace_cursor *cursor, struct error *error)
{
	count_chunks(table);
	return event_stream_open(cursor, error);
}

bool sql_table_next(struct sql_table *table, struct event_stream *stream, struct event_at *at, struct error *error)
{
	bool found = event_stream_next(stream, at, error);
	count_chunks(table);
	return found;
}

void sql_table_result(sqlite3_context *context, uint64_t value)
{
	sqlite3_result_int64(context, trace_sql_from_u64(value));
}
