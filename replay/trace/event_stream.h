/* A trace's events one after the other, each with its number and guest time, in constant memory: for whoever walks over
 * a trace without a machine. */
#pragma once
#include "storage/trace.h"

struct event_stream;

struct event_at {
	struct event event;
	uint64_t index;    /* in the trace */
	uint64_t guest_ns; /* guest time at which it stands; of an IDLE: before it */
};

/* Goes on from where `cursor` stands, and frees it. NULL, with `error` set: there is no memory, or the cursor is NULL
 * because it could not be opened. */
struct event_stream *event_stream_open(struct trace_cursor *cursor, struct error *error);

/* False: the trace is at its end, or damaged there (`error` set). */
bool event_stream_next(struct event_stream *stream, struct event_at *at, struct error *error);

/* Go on from event `index`, or from the first whose n is at least `n`, if that is in the chunk that the stream is in:
 * nothing is read. False: it is not there, or not certainly; nothing has changed. */
bool event_stream_try(struct event_stream *stream, uint64_t index);
bool event_stream_try_n(struct event_stream *stream, uint64_t n);

/* Number of the next event; at the end, the number of events. Cannot fail. */
uint64_t event_stream_index(const struct event_stream *stream);

/* Frees; NULL is allowed. */
void event_stream_free(struct event_stream *stream);
