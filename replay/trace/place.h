/* Places in a trace as people name them. */
#pragma once
#include "replay/trace/events.h"

/* The position that `text` names: N, "event K", "time SECONDS" of guest time, "PERCENT%", "start" or "end". False: it
 * names none, or one outside of the trace; error set. */
bool place_find(const char *text, struct trace_reader *trace, struct events *events, uint64_t *n, struct error *error);
/* Position of the last event, where a trace ends. False: damage, error set. */
bool place_end(struct events *events, uint64_t *n, struct error *error);
/* The number of the first event that a guest at position `n` has not passed yet, as a debugger that goes there shows
 * it: what happens at a position is before it, but where the guest goes idle the place is before the idle time. */
bool place_next_event(struct events *events, uint64_t n, uint64_t *next, struct error *error);
