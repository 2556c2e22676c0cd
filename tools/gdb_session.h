/* hvrec replay --gdb: a trace served to gdb. */
#pragma once
#include "hv/host/error.h"

/* Serves `trace`, standing at `at` (NULL: its start, or what `monitor seek` takes), at `address` (HOST:PORT, unix:PATH,
 * "-") until the user ends it or, with "-", gdb leaves. */
void gdb_session_run(const char *trace, const char *address, const char *at, bool quiet, struct error *error);
