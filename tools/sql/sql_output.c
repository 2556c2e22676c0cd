/* CSV and JSON; the table is sql_output_table.c's. Blobs are printed in hexadecimal, NULL is empty (JSON: null). */
#include "tools/sql/sql_output.h"
#include "tools/output_text.h"
#include "tools/sql/sql_output_table.h"

#include <math.h>

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
		output_text_csv(to, text ? text : "");
	}
}

static int run_csv(sqlite3_stmt *statement, FILE *to)
{
	int code, count = sqlite3_column_count(statement);
	for (int i = 0; i < count; i++) {
		output_text_csv(to, sqlite3_column_name(statement, i));
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

static void put_json(sqlite3_stmt *statement, int column, FILE *to)
{
	double real;
	const char *text;
	switch (sqlite3_column_type(statement, column)) {
	case SQLITE_INTEGER:
		fprintf(to, "%lld", (long long)sqlite3_column_int64(statement, column));
		break;
	case SQLITE_FLOAT:
		real = sqlite3_column_double(statement, column);
		fprintf(to, isfinite(real) ? "%.17g" : "null", real);
		break;
	case SQLITE_TEXT:
		text = (const char *)sqlite3_column_text(statement, column);
		output_text_json_bytes(to, text ? text : "", (size_t)sqlite3_column_bytes(statement, column));
		break;
	case SQLITE_BLOB:
		fputc('"', to);
		put_hex(statement, column, to);
		fputc('"', to);
		break;
	default:
		fputs("null", to);
	}
}

static int run_json(sqlite3_stmt *statement, FILE *to)
{
	int code, count = sqlite3_column_count(statement);
	const char *separator = "[";
	while ((code = sql_output_step(statement, to)) == SQLITE_ROW) {
		fputs(separator, to);
		for (int i = 0; i < count; i++) {
			fputs(i > 0 ? "," : "{", to);
			output_text_json(to, sqlite3_column_name(statement, i));
			fputc(':', to);
			put_json(statement, i, to);
		}
		fputc('}', to);
		separator = ",\n";
	}
	fputs(*separator == '[' ? "[]\n" : "]\n", to);
	return code;
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
