/* The first steps of trace_write.c's trace_create: a file of our own, locked, with empty tables. */
#pragma once
#include "hv/error/error.h"
#include <sqlite3.h>

/* Removes what trace_create may replace, creates an empty file, locks it. The descriptor, or -1. Close it only after
 * the database, see trace_create.c. */
int trace_create_file(const char *path, struct error *error);

/* Writes an empty trace into the empty file `fd`, which is `path`, and opens it, in WAL mode. NULL on failure. */
sqlite3 *trace_create_db(const char *path, int fd, struct error *error);
