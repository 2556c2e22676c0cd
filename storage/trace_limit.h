/* Bounds the work of one sqlite step: a damaged table may lead back into itself, and would be walked for ever. Only the
 * reader's own queries have the bound; each looks at a row a few times at most. */
#pragma once
#include <sqlite3.h>

/* From here on, what `db` runs ends with SQLITE_INTERRUPT after some 20 million of sqlite's own operations: enough for
 * a sum over 2 million rows, and below a second. Cannot fail. */
void trace_limit_set(sqlite3 *db);

/* Ends that. Cannot fail. */
void trace_limit_clear(sqlite3 *db);
