/* The report's page: the template tools/report/report.html, which is built into hvrec, with its style, its script and
 * the data put in. */
#pragma once
#include "replay/guest/symbols.h"
#include "storage/trace.h"
#include <stdio.h>

/* Reads the whole trace and writes the page to `out`, a stream in memory; `name` is what the page calls the trace;
 * `names`, sorted and perhaps empty, are those of its functions. False: the trace cannot be read, or no memory; error
 * set. */
bool report_page_write(struct trace_reader *trace, const char *name, const struct symbols *names, FILE *out,
		       struct error *error);
