/* A trace's events by index, for a reader that jumps about: a window of them in memory, moved as needed. */
#pragma once
#include "storage/trace.h"

struct events;

/* `trace` must outlive it. NULL: error set. */
struct events *events_open(struct trace_reader *trace, struct error *error);
void events_close(struct events *events);
/* The number of the first event (0, but in a trace that starts at a keyframe), and that of the last one + 1. Cannot
 * fail. */
uint64_t events_first(const struct events *events);
uint64_t events_count(const struct events *events);
/* Event `index`, from events_first to below events_count; valid until the next call. NULL: the trace is damaged there,
 * error set. */
const struct event *events_get(struct events *events, uint64_t index, struct error *error);
/* The index of the first event with n at or after `n`; events_count if there is none, or the trace is damaged. */
uint64_t events_find(struct events *events, uint64_t n, struct error *error);
