/* Printing what an SQL statement gives, row by row as it comes. */
#pragma once
#include <sqlite3.h>
#include <stdio.h>

enum sql_output_format { SQL_OUTPUT_TABLE, SQL_OUTPUT_CSV, SQL_OUTPUT_JSON };

/* Steps `statement` to its end and prints its rows: a table for people, CSV with a line of names (RFC 4180, with LF),
 * or a JSON array of objects. Prints nothing for a statement that has no columns. Returns sqlite's code: SQLITE_DONE,
 * or an error, after what was printed by then. */
int sql_output_run(sqlite3_stmt *statement, enum sql_output_format format, FILE *to);

/* sqlite3_step for what prints rows: once `to` has failed there is nothing left to do, and it is SQLITE_DONE. */
int sql_output_step(sqlite3_stmt *statement, FILE *to);
