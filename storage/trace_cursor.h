/* The cursor's inside, for trace_cursor.c, which reads chunks, and trace_seek.c, which finds the place. */
#pragma once
#include "storage/chunk.h"
#include "storage/trace_reader.h"

struct trace_cursor {
	struct trace_reader *reader;
	sqlite3_stmt *rows;
	struct trace_weights *weights; /* NULL: not asked for */
	struct error failed;
	uint64_t wanted;        /* the next chunk must begin here; the first one may begin before */
	bool started;           /* a chunk was read */
	uint64_t last_n;        /* of the chunk before */
	uint64_t start_idle_ns; /* before events[0] */
	uint64_t idle_ns;       /* before events[at] */
	uint64_t end_idle_ns;   /* after the last of events */
	size_t at;
	size_t event_count;
	size_t event_room;
	struct event *events; /* malloc; the chunk */
};

/* Begins with the chunk that event `first_event` is in, and goes there; it must be in the trace, or be its end. False:
 * c->failed. */
bool trace_cursor_start(struct trace_cursor *c, uint64_t first_event);

/* Goes on to the next chunk; at the end of the trace there are no events. False: c->failed. */
bool trace_cursor_load(struct trace_cursor *c);

/* Goes past the current event, or back before the last one; it must be there, in the chunk. Cannot fail. */
void trace_cursor_skip(struct trace_cursor *c);
void trace_cursor_step_back(struct trace_cursor *c);
