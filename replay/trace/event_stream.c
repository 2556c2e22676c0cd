/* Reads ahead in batches; the idle time is carried from event to event, as the cursor's is that of a batch's end. */
#include "replay/trace/event_stream.h"

#include <stdlib.h>

enum { BATCH_EVENTS = 256 }; /* few, because a join in SQL begins a batch for each row */

struct event_stream {
	struct trace_cursor *cursor;
	uint64_t index;    /* of the next event */
	uint64_t idle_ns;  /* before it */
	int64_t at, count; /* in the batch */
	struct event batch[BATCH_EVENTS];
};

/* The next event is the cursor's. */
static void batch_begin(struct event_stream *stream)
{
	stream->at = stream->count = 0;
	stream->index = trace_cursor_event(stream->cursor);
	stream->idle_ns = trace_cursor_idle_ns(stream->cursor);
}

struct event_stream *event_stream_open(struct trace_cursor *cursor, struct error *error)
{
	struct event_stream *stream = cursor ? calloc(1, sizeof(*stream)) : NULL;
	if (!stream) {
		error_set(error, STATUS_FAILED, "out of memory");
		trace_cursor_free(cursor);
		return NULL;
	}
	stream->cursor = cursor;
	batch_begin(stream);
	return stream;
}

bool event_stream_try(struct event_stream *stream, uint64_t index)
{
	if (!trace_cursor_try(stream->cursor, index))
		return false;
	batch_begin(stream);
	return true;
}

bool event_stream_try_n(struct event_stream *stream, uint64_t n)
{
	if (!trace_cursor_try_n(stream->cursor, n))
		return false;
	batch_begin(stream);
	return true;
}

bool event_stream_next(struct event_stream *stream, struct event_at *at, struct error *error)
{
	if (stream->at == stream->count) {
		stream->at = 0;
		stream->count = trace_next(stream->cursor, stream->batch, BATCH_EVENTS, error);
		if (stream->count <= 0) {
			stream->count = 0;
			return false;
		}
	}
	const struct event *event = &stream->batch[stream->at++];
	*at = (struct event_at){*event, stream->index++, event->n + stream->idle_ns};
	stream->idle_ns += event_idle_ns(event);
	return true;
}

uint64_t event_stream_index(const struct event_stream *stream)
{
	return stream->index;
}

void event_stream_free(struct event_stream *stream)
{
	if (!stream)
		return;
	trace_cursor_free(stream->cursor);
	free(stream);
}
