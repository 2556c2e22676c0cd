/* SQL results as a table for people. */
#pragma once
#include <sqlite3.h>
#include <stdio.h>

/* As sql_output_run, for a statement with columns. */
int sql_output_table_run(sqlite3_stmt *statement, FILE *to);
