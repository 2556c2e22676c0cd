/* hvrec sql: SQL over a trace, from the command line, a pipe or a terminal. The trace is opened for reading only. */
#include "hv/host/sandbox.h"
#include "storage/trace_format.h"
#include "tools/commands.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/sql/sql_output.h"
#include "tools/sql/sql_register.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const format_names[] = {
	[SQL_OUTPUT_TABLE] = "table", [SQL_OUTPUT_CSV] = "csv", [SQL_OUTPUT_JSON] = "json"};

struct session {
	sqlite3 *db;
	enum sql_output_format format;
};

/* In temp, our tables come before any of these names that a file may have. */
static bool open_trace(struct session *session, const char *path, struct error *error)
{
	static const char sql[] = "CREATE VIRTUAL TABLE temp.events USING hvrec_events;"
				  "CREATE VIRTUAL TABLE temp.console USING hvrec_console";
	int version;
	session->db = trace_db_open(path, &version, error);
	if (!session->db)
		return false;
	if (sql_register(session->db) == SQLITE_OK && sqlite3_exec(session->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return true;
	return error_set(error, STATUS_FAILED, "%s", sqlite3_errmsg(session->db));
}

static bool sql_failed(const struct session *session, struct error *error)
{
	return error_set(error, STATUS_FAILED, "SQL error: %s", sqlite3_errmsg(session->db));
}

/* Runs all statements of `sql`, up to the first that fails. */
static bool run_all(const struct session *session, const char *sql, struct error *error)
{
	while (*sql && output_good()) {
		sqlite3_stmt *statement = NULL;
		if (sqlite3_prepare_v2(session->db, sql, -1, &statement, &sql) != SQLITE_OK)
			return sql_failed(session, error);
		if (!statement)
			continue; /* a comment, or nothing */
		int code = sql_output_run(statement, session->format, stdout);
		bool good = code == SQLITE_DONE || sql_failed(session, error);
		sqlite3_finalize(statement);
		if (!good)
			return false;
		if (!output_end(error))
			return false;
	}
	return true;
}

/* What was typed and not run yet. */
struct typed {
	char *sql; /* malloc'd, with a NUL */
	size_t bytes;
};

static bool append(struct typed *typed, const char *line, size_t line_bytes)
{
	char *longer = realloc(typed->sql, typed->bytes + line_bytes + 1);
	if (!longer)
		return false;
	memcpy(longer + typed->bytes, line, line_bytes);
	typed->bytes += line_bytes;
	longer[typed->bytes] = 0;
	typed->sql = longer;
	return true;
}

static void prompt(bool interactive, bool continued)
{
	if (!interactive)
		return;
	fputs(continued ? "...> " : "sql> ", stdout);
	fflush(stdout);
}

/* Runs what was typed. At a terminal an error is printed and the session goes on; elsewhere it ends it. */
static bool run_typed(const struct session *session, struct typed *typed, bool interactive, struct error *error)
{
	struct error mine = {.status = STATUS_OK};
	bool good = !typed->sql || run_all(session, typed->sql, &mine);
	typed->bytes = 0;
	if (!good && interactive)
		fprintf(stderr, "%s\n", mine.text);
	else if (!good)
		error_set(error, mine.status, "%s", mine.text);
	return good || interactive;
}

static bool blank(const char *line)
{
	return line[strspn(line, " \t\r\n")] == 0;
}

/* Takes one line, and runs what it completes. */
static bool take_line(const struct session *session, struct typed *typed, const char *line, size_t line_bytes,
		      bool interactive, struct error *error)
{
	if (typed->bytes == 0 && blank(line))
		return true;
	if (!append(typed, line, line_bytes))
		return error_set(error, STATUS_FAILED, "no memory");
	return !sqlite3_complete(typed->sql) || run_typed(session, typed, interactive, error);
}

/* Reads lines to the end; the last statement needs no semicolon. */
static bool run_input(const struct session *session, bool interactive, struct error *error)
{
	struct typed typed = {0};
	char *line = NULL;
	size_t line_room = 0;
	ssize_t length;
	bool good = true;
	prompt(interactive, false);
	while (good && (length = getline(&line, &line_room, stdin)) >= 0) {
		good = take_line(session, &typed, line, (size_t)length, interactive, error);
		prompt(interactive, typed.bytes > 0);
	}
	if (good && ferror(stdin))
		good = error_set(error, STATUS_FAILED, "cannot read standard input: %s", strerror(errno));
	if (good && typed.bytes > 0)
		good = run_typed(session, &typed, interactive, error);
	free(line);
	free(typed.sql);
	return good;
}

static bool format_get(const char *option, const char *text, void *into, struct error *error)
{
	enum sql_output_format *format = into;
	for (int i = SQL_OUTPUT_TABLE; i <= SQL_OUTPUT_JSON; i++) {
		*format = (enum sql_output_format)i;
		if (strcmp(text, format_names[i]) == 0)
			return true;
	}
	return error_set(error, STATUS_FAILED, "%s %s is not one of table, csv and json", option, text);
}

static void run(const char *trace, const char *query, enum sql_output_format format, struct error *error)
{
	struct session session = {.format = format};
	bool interactive = isatty(STDIN_FILENO);
	if (open_trace(&session, trace, error)) {
		if (query)
			run_all(&session, query, error);
		else
			run_input(&session, interactive, error);
	}
	sqlite3_close(session.db);
}

struct sql_options {
	enum sql_output_format format;
};

static const struct option_row rows[] = {
	{"format", 0, "table|csv|json", "(default: table on a terminal, else csv)", format_get,
	 offsetof(struct sql_options, format)},
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec sql TRACE [QUERY] [OPTIONS]\n"
		"\n"
		"Runs SQL over the tables events, turns, console, keyframes and meta. Without QUERY, statements come "
		"from\n"
		"standard input.\n",
	.rows = rows,
	.tail = "  events     event, n, time_ns, vcpu, kind, pc, address, value, size, name, text\n"
		"  turns      vcpu, n, end_n, time_ns, end_ns, reason\n"
		"  console    line, event, n, time_ns, text\n"
		"  hvrec_chunks_read() says how many chunks of the trace were decoded so far\n"
		"\n"
		"docs/SQL.md has examples. The same tables are in hvrec_sqlite.so, for sqlite3 and for other "
		"programs.\n",
	.argument_min = 1,
	.argument_max = 2,
	.arguments = "one TRACE and at most one QUERY",
};

void sql_command(int argc, char **argv, struct error *error)
{
	struct sql_options options = {.format = isatty(STDOUT_FILENO) ? SQL_OUTPUT_TABLE : SQL_OUTPUT_CSV};
	int first = options_parse(&command_options, argc, argv, &options, error);
	if (first == 0)
		return;
	sandbox_enter(NULL, SANDBOX_NO_NETWORK | SANDBOX_NO_PROCESSES); /* a query may attach and write other files:
									   that is the user's own wish */
	run(argv[first], argc - first == 2 ? argv[first + 1] : NULL, options.format, error);
}
