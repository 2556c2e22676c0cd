/* The table: the first rows are held back until the columns' widths are known from them; later rows are printed as they
 * come, and may stand out. Memory is bounded by ROWS_HELD_MAX and BYTES_HELD_MAX. Control characters, which a guest may
 * have printed to mislead the terminal, become '?'. */
#include "tools/sql/sql_output_table.h"
#include "tools/sql/sql_output.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_HELD_MAX = 1000, BYTES_HELD_MAX = 4 << 20, BLOB_BYTES_SHOWN = 16 };

struct column {
	size_t width;
	bool left; /* has something else than numbers */
};

struct table {
	FILE *to;
	int column_count;
	struct column *columns;
	char **cells; /* malloc'd texts; ROWS_HELD_MAX rows */
	size_t row_count, bytes;
};

/* Characters, not bytes: each has one byte that is no continuation. */
static size_t width_of(const char *text)
{
	size_t width = 0;
	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static char *blob_text(sqlite3_stmt *statement, int column)
{
	char *text = NULL;
	size_t text_bytes;
	FILE *to = open_memstream(&text, &text_bytes);
	const unsigned char *blob = sqlite3_column_blob(statement, column);
	int bytes = sqlite3_column_bytes(statement, column);
	if (!to)
		return NULL;
	for (int i = 0; blob && i < bytes && i < BLOB_BYTES_SHOWN; i++)
		fprintf(to, "%02x", blob[i]);
	if (bytes > BLOB_BYTES_SHOWN)
		fprintf(to, "... (%d bytes)", bytes);
	fclose(to);
	return text;
}

/* NULL: no memory. */
static char *cell_text(sqlite3_stmt *statement, int column)
{
	if (sqlite3_column_type(statement, column) == SQLITE_BLOB)
		return blob_text(statement, column);
	const char *value = (const char *)sqlite3_column_text(statement, column);
	char *text = strdup(value ? value : "");
	for (char *at = text; at && *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	}
	return text;
}

static bool row_get(const struct table *table, sqlite3_stmt *statement, char **row)
{
	bool good = true;
	for (int i = 0; i < table->column_count; i++) {
		row[i] = cell_text(statement, i);
		good = good && row[i];
	}
	return good;
}

static void row_free(const struct table *table, char **row)
{
	for (int i = 0; i < table->column_count; i++) {
		free(row[i]);
		row[i] = NULL;
	}
}

static void put_padded(const struct table *table, int i, const char *text)
{
	const struct column *column = &table->columns[i];
	size_t width = width_of(text);
	int pad = width < column->width ? (int)(column->width - width) : 0;
	bool last = i + 1 == table->column_count;
	fprintf(table->to, "%*s%s%*s%s", column->left ? 0 : pad, "", text, column->left && !last ? pad : 0, "",
		last ? "\n" : "  ");
}

static void row_put(const struct table *table, char *const *row)
{
	for (int i = 0; i < table->column_count; i++)
		put_padded(table, i, row[i]);
}

static void widen(struct table *table, int column, const char *text)
{
	size_t width = width_of(text);
	if (width > table->columns[column].width)
		table->columns[column].width = width;
}

/* Prints the names, a rule, and the rows that were held back. */
static void held_put(struct table *table, sqlite3_stmt *statement)
{
	for (int i = 0; i < table->column_count; i++)
		put_padded(table, i, sqlite3_column_name(statement, i));
	for (int i = 0; i < table->column_count; i++) {
		for (size_t at = 0; at < table->columns[i].width; at++)
			fputc('-', table->to);
		fputs(i + 1 < table->column_count ? "  " : "\n", table->to);
	}
	for (size_t row = 0; row < table->row_count; row++) {
		row_put(table, table->cells + row * (size_t)table->column_count);
		row_free(table, table->cells + row * (size_t)table->column_count);
	}
	table->row_count = 0;
}

static void hold(struct table *table, sqlite3_stmt *statement, char *const *row)
{
	for (int i = 0; i < table->column_count; i++) {
		int type = sqlite3_column_type(statement, i);
		table->columns[i].left |= type == SQLITE_TEXT || type == SQLITE_BLOB;
		widen(table, i, row[i]);
		table->bytes += strlen(row[i]);
	}
	table->row_count++;
}

static int rows_run(struct table *table, sqlite3_stmt *statement)
{
	bool held = true, good = true;
	int code;
	for (int i = 0; i < table->column_count; i++)
		widen(table, i, sqlite3_column_name(statement, i));
	while ((code = sql_output_step(statement, table->to)) == SQLITE_ROW && good) {
		char **row = table->cells + table->row_count * (size_t)table->column_count;
		good = row_get(table, statement, row);
		if (good && held) {
			hold(table, statement, row);
		} else {
			if (good)
				row_put(table, row);
			row_free(table, row);
		}
		if (held && (table->row_count == ROWS_HELD_MAX || table->bytes > BYTES_HELD_MAX)) {
			held_put(table, statement);
			held = false;
		}
	}
	if (held)
		held_put(table, statement);
	return good ? code : SQLITE_NOMEM;
}

int sql_output_table_run(sqlite3_stmt *statement, FILE *to)
{
	struct table table = {.to = to, .column_count = sqlite3_column_count(statement)};
	table.columns = calloc((size_t)table.column_count, sizeof(*table.columns));
	table.cells = calloc((size_t)table.column_count * ROWS_HELD_MAX, sizeof(*table.cells));
	int code = table.columns && table.cells ? rows_run(&table, statement) : SQLITE_NOMEM;
	free(table.columns);
	free(table.cells);
	return code;
}
