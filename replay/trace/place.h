/* Places in a trace as people name them. */
#pragma once
#include "replay/trace/events.h"

/* The position that `text` names: N, "event K", "time SECONDS" of guest time, "PERCENT%", "start" or "end". False: it
 * names none, or one outside of the trace; error set. */
bool place_find(const char *text, struct trace_reader *trace, struct events *events, uint64_t *n, struct error *error);
/* Position of the last event, where a trace ends. False: damage, error set. */
bool place_end(struct events *events, uint64_t *n, struct error *error);
