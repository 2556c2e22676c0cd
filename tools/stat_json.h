/* hvrec stat as one JSON object. */
#pragma once
#include "replay/trace/trace_stat.h"

/* Prints it; `path` is what the trace is called. Without memory error is set. */
void stat_json_print(const char *path, const struct trace_stat *stat, struct error *error);
