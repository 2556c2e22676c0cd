/* Where two recordings of the same guest first differ: in what they began with, and in their events. Interrupts come a
 * little earlier or later in every recording, and a randomised kernel lies elsewhere; so events are compared in several
 * ways, of which each sees past more. */
#pragma once
#include "replay/trace/event_stream.h"

enum trace_diff_by {
	TRACE_DIFF_EXACT,  /* every field of every event */
	TRACE_DIFF_TIME,   /* every event, but not when and where: n, the page of pc; of asynchronous ones all of pc and
			      the hash; idle time, timers' values */
	TRACE_DIFF_TRAPS,  /* the same, only of traps, what the guest itself did */
	TRACE_DIFF_DIGITS, /* the same, and printed digits are alike: a kernel prints times and addresses */
	TRACE_DIFF_INPUT,  /* only the bytes that were typed */
	TRACE_DIFF_COUNT,
};

/* The first pair that is not alike. */
struct trace_diff_place {
	bool differs;
	bool has_a, has_b;    /* false: that recording has no further event (of those compared) */
	struct event_at a, b; /* without an event: only the index, of the end */
	uint64_t same_count;  /* pairs before it that are alike */
};

/* From where on they are compared: 0, or, if one of them starts at a keyframe and the other one elsewhere, after the
 * position of the later start, where both have all events. Cannot fail. */
uint64_t trace_diff_first_n(const struct trace_reader *a, const struct trace_reader *b);

/* Compares from trace_diff_first_n on. False: a trace is damaged, or there is no memory; error set. */
bool trace_diff_find(struct trace_reader *a, struct trace_reader *b, enum trace_diff_by by,
		     struct trace_diff_place *place, struct error *error);

/* Whether the two events are alike. Cannot fail. */
bool trace_diff_same(const struct event *a, const struct event *b, enum trace_diff_by by);

/* Calls `each` for everything that the two guests began with and that differs: its name, and both values in words
 * (NULL: too large for words). False: a trace is damaged, or there is no memory; error set. */
typedef void trace_diff_fn(const char *name, const char *a, const char *b, void *context);
bool trace_diff_inputs(struct trace_reader *a, struct trace_reader *b, trace_diff_fn *each, void *context,
		       struct error *error);
