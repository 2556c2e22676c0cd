/* A trace as Trace Event JSON, which Perfetto's UI, chrome://tracing and other viewers open. */
#pragma once
#include "hv/error/error.h"
#include "storage/trace.h"
#include <stdio.h>

/* Writes all events to `to`; `name` is shown as the trace's. Guest time becomes ts, in µs. What is written is valid
 * JSON also if the trace is damaged halfway. False: it is; error set. Whether `to` has failed is the caller's to ask.
 */
bool export_perfetto_write(struct trace_reader *trace, const char *name, FILE *to, struct error *error);
