/* hvrec replay --gdb: a trace served to gdb. */
#pragma once
#include "hv/host/error.h"

/* Serves `trace` at `address` (HOST:PORT, unix:PATH, "-") until the user ends it or, with "-", gdb leaves. */
void gdb_session_run(const char *trace, const char *address, bool quiet, bool placed, struct error *error);
