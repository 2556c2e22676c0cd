/* hvrec replay --gdb: a trace served to gdb. */
#pragma once
#include "hv/error/error.h"

struct gdb_session {
	const char *trace;
	const char *address; /* HOST:PORT, unix:PATH, or "-" */
	const char *at;      /* where it begins, as `monitor seek` takes it; NULL: at the start */
	unsigned jobs;       /* machines that search at a time */
	bool quiet;
	bool placed; /* gdb was given symbols at the right place, and needs no offset */
};

/* Serves the trace until the user ends it or, with "-", gdb leaves. */
void gdb_session_run(const struct gdb_session *options, struct error *error);
