/* A damaged trace as another program asks it: opened with plain sqlite, with hvrec_sqlite.so's tables. */
#pragma once
#include "hv/error/error.h"

/* Opens the trace for reading, or for writing too, as `sqlite3 TRACE` does, and asks it one of some questions. Fills
 * `error` with sqlite's words when it fails. */
void trace_extension_ask(const char *path, struct error *error);
