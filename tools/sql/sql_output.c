/* CSV and JSON; the table is sql_output_table.c's. Blobs are printed in hexadecimal, NULL is empty (JSON: null). */
#include "tools/sql/sql_output.h"
#include "tools/json.h"
#include "tools/output_csv.h"
#include "tools/sql/sql_output_table.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static void put_hex(sqlite3_stmt *statement, int column, FILE *to)
{
	const unsigned char *blob = sqlite3_column_blob(statement, column);
	int bytes = sqlite3_column_bytes(statement, column);
	for (int i = 0; blob && i < bytes; i++)
		fprintf(to, "%02x", blob[i]);
}

static void put_csv(sqlite3_stmt *statement, int column, FILE *to)
{
	const char *text;
	switch (sqlite3_column_type(statement, column)) {
	case SQLITE_NULL:
		break;
	case SQLITE_BLOB:
		put_hex(statement, column, to);
		break;
	default:
		text = (const char *)sqlite3_column_text(statement, column);
		output_csv_field(to, text ? text : "");
	}
}

static int run_csv(sqlite3_stmt *statement, FILE *to)
{
	int code, count = sqlite3_column_count(statement);
	for (int i = 0; i < count; i++) {
		output_csv_field(to, sqlite3_column_name(statement, i));
		fputc(i + 1 < count ? ',' : '\n', to);
	}
	while ((code = sql_output_step(statement, to)) == SQLITE_ROW) {
		for (int i = 0; i < count; i++) {
			put_csv(statement, i, to);
			fputc(i + 1 < count ? ',' : '\n', to);
		}
	}
	return code;
}

/* False: no memory. */
static bool put_json_blob(sqlite3_stmt *statement, int column, struct json *json)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *to = open_memstream(&text, &bytes);
	if (to)
		put_hex(statement, column, to);
	bool good = to && fclose(to) == 0;
	json_bytes(json, sqlite3_column_name(statement, column), good ? text : "", good ? bytes : 0);
	free(text);
	return good;
}

/* A column as a member of its row's object. False: no memory. */
static bool put_json(sqlite3_stmt *statement, int column, struct json *json)
{
	const char *name = sqlite3_column_name(statement, column), *text;
	double real;
	switch (sqlite3_column_type(statement, column)) {
	case SQLITE_INTEGER:
		json_spelled(json, name, "%lld", (long long)sqlite3_column_int64(statement, column));
		return true;
	case SQLITE_FLOAT:
		real = sqlite3_column_double(statement, column);
		if (isfinite(real))
			json_spelled(json, name, "%.17g", real);
		else
			json_null(json, name);
		return true;
	case SQLITE_TEXT:
		text = (const char *)sqlite3_column_text(statement, column);
		json_bytes(json, name, text ? text : "", (size_t)sqlite3_column_bytes(statement, column));
		return true;
	case SQLITE_BLOB:
		return put_json_blob(statement, column, json);
	default:
		json_null(json, name);
		return true;
	}
}

/* Puts one row after the other, each with a line of its own. */
static int put_rows(sqlite3_stmt *statement, struct json *rows, FILE *to)
{
	int code, count = sqlite3_column_count(statement);
	bool any = false;
	while ((code = sql_output_step(statement, to)) == SQLITE_ROW) {
		bool good = true;
		if (any)
			json_next(rows, ",\n");
		any = true;
		json_object(rows, NULL);
		for (int i = 0; i < count; i++)
			good = put_json(statement, i, rows) && good;
		json_object_end(rows);
		if (!good)
			return SQLITE_NOMEM;
	}
	return code;
}

static int run_json(sqlite3_stmt *statement, FILE *to)
{
	struct error error = {.status = STATUS_OK};
	struct json *array = json_new(to, JSON_COMPACT, &error), *rows = json_new(to, JSON_COMPACT, &error);
	int code = SQLITE_NOMEM;
	if (array && rows) {
		json_array(array, NULL);
		code = put_rows(statement, rows, to);
		json_array_end(array);
		fputc('\n', to);
	}
	json_free(array);
	json_free(rows);
	return error.status == STATUS_OK ? code : SQLITE_NOMEM;
}

int sql_output_step(sqlite3_stmt *statement, FILE *to)
{
	return ferror(to) ? SQLITE_DONE : sqlite3_step(statement);
}

int sql_output_run(sqlite3_stmt *statement, enum sql_output_format format, FILE *to)
{
	int code;
	if (sqlite3_column_count(statement) == 0) {
		while ((code = sql_output_step(statement, to)) == SQLITE_ROW)
			continue;
		return code;
	}
	switch (format) {
	case SQL_OUTPUT_CSV:
		return run_csv(statement, to);
	case SQL_OUTPUT_JSON:
		return run_json(statement, to);
	case SQL_OUTPUT_TABLE:
	default:
		return sql_output_table_run(statement, to);
	}
}
