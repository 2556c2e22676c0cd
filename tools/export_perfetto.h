/* A trace as Trace Event JSON, which Perfetto's UI, chrome://tracing and other viewers open. */
#pragma once
#include "hv/host/error.h"
#include "storage/trace.h"
#include <stdio.h>

/* Writes all events to `to`; `name` is shown as the trace's. Guest time becomes ts, in µs. What is written is valid
 * JSON also if it fails halfway, unless `to` does. False: the trace is damaged, or `to` cannot be written (ferror);
 * error set. */
bool export_perfetto_write(struct trace_reader *trace, const char *name, FILE *to, struct error *error);
