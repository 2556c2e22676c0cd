/* The trace: one sqlite file that holds a recording, complete in itself. The layout is in docs/TRACE-FORMAT.md.
 * 1. Writer: after the first failure every call does nothing and returns that failure again.
 * 2. What trace_commit returned true for survives a kill -9; a trace says "incomplete" until trace_finish.
 * 3. Reader: nothing in the file is trusted; damage is an error that names the file, never a crash.
 * A writer, or a reader with its cursors, belongs to one thread at a time. `error` is never NULL; status STATUS_FAILED.
 */
#pragma once
#include "hv/abi/event.h"
#include "hv/host/error.h"
#include <stddef.h>

enum {
	TRACE_VERSION = 1,
	TRACE_FILE_BYTES_MAX = 900 << 20, /* of one named file; sqlite's own limit for a blob is 1e9 */
	TRACE_TEXT_BYTES_MAX = 1 << 20,
};

struct trace_writer;
struct trace_reader;
struct trace_cursor;

/* Creates an empty trace at `path`. An existing trace is replaced, an empty file too; anything else, and a trace that
 * is being recorded right now, is refused. NULL on failure. */
struct trace_writer *trace_create(const char *path, struct error *error);

/* Keeps `data` under `name`, compressed, and once for all names with equal data. Replaces what `name` had (those bytes
 * stay in the file). Durable
 * after the next commit, as everything below. */
bool trace_put_file(struct trace_writer *w, const char *name, const void *data, size_t bytes, struct error *error);

/* Set a metadata value; `value` is UTF-8. The keys "complete" and "events" are trace_finish's. */
bool trace_put_text(struct trace_writer *w, const char *key, const char *value, struct error *error);
bool trace_put_u64(struct trace_writer *w, const char *key, uint64_t value, struct error *error);

/* Appends events, in order: n must not decrease, `zero` must be 0. They are in memory until the next commit. */
bool trace_append(struct trace_writer *w, const struct event *events, size_t count, struct error *error);

/* Writes all that was appended or put. True: it survives the end of this process (not a power cut). */
bool trace_commit(struct trace_writer *w, struct error *error);

/* Commits, marks the trace complete and leaves exactly one file (while another program reads it, its -wal stays beside
 * it and still belongs to it). Afterwards only trace_writer_free is allowed. */
bool trace_finish(struct trace_writer *w, struct error *error);

/* Frees; NULL is allowed. Without trace_finish an incomplete trace remains, up to its last commit. Cannot fail. */
void trace_writer_free(struct trace_writer *w);

/* Opens for reading, without changing the file; finished, incomplete, or still being recorded. NULL on failure. */
struct trace_reader *trace_open(const char *path, struct error *error);

/* Frees; NULL is allowed. All cursors must have been freed before. */
void trace_close(struct trace_reader *r);

enum trace_found { TRACE_FAILED = -1, TRACE_ABSENT = 0, TRACE_FOUND = 1 };

/* The twins of trace_put_*. *data and *value are malloc'd and the caller's (a NUL follows either), and only set at
 * TRACE_FOUND. TRACE_ABSENT does not fill `error`. */
enum trace_found trace_get_file(struct trace_reader *r, const char *name, void **data, size_t *bytes,
				struct error *error);
enum trace_found trace_get_text(struct trace_reader *r, const char *key, char **value, struct error *error);
enum trace_found trace_get_u64(struct trace_reader *r, const char *key, uint64_t *value, struct error *error);

/* Calls `each` with the name of every named file, in the order of names, until it returns false. False: it did, or the
 * trace could not be read; error set. */
typedef bool trace_file_fn(const char *name, void *context, struct error *error);
bool trace_each_file(struct trace_reader *r, trace_file_fn *each, void *context, struct error *error);

/* True if the recording was finished. Cannot fail. */
bool trace_is_complete(const struct trace_reader *r);

struct trace_totals {
	uint64_t event_count;
	uint64_t chunk_count;
	uint64_t last_n;         /* of the last event; 0 without events */
	uint64_t raw_bytes;      /* of the events, encoded but not compressed */
	uint64_t stored_bytes;   /* of the events, compressed */
	uint64_t file_count;     /* named files */
	uint64_t blob_raw_bytes; /* their contents, equal ones counted once */
	uint64_t blob_stored_bytes;
};

/* How many chunks the cursors of this reader have decoded so far. Cannot fail. */
uint64_t trace_chunks_read(const struct trace_reader *r);

bool trace_get_totals(struct trace_reader *r, struct trace_totals *totals, struct error *error);

/* A cursor before event `first_event` (0: the first; the number of events: the end, nothing beyond). NULL on failure.
 */
struct trace_cursor *trace_seek(struct trace_reader *r, uint64_t first_event, struct error *error);

/* A cursor before the first event whose n is at least `n`, or whose guest time is at least `ns`; at the end if there is
 * none. Only the chunks from there on are read, and checked. NULL on failure. */
struct trace_cursor *trace_seek_n(struct trace_reader *r, uint64_t n, struct error *error);
struct trace_cursor *trace_seek_ns(struct trace_reader *r, uint64_t ns, struct error *error);

/* Moves the cursor to where trace_seek or trace_seek_n would put one, if that is in the chunk that it has decoded.
 * False: it is not there, or not certainly; the cursor is where it was. */
bool trace_cursor_try(struct trace_cursor *c, uint64_t event);
bool trace_cursor_try_n(struct trace_cursor *c, uint64_t n);

/* Reads up to `max` events. Returns how many, 0 only at the end (or for max 0), -1 on damage: a checksum, a malformed
 * chunk, a gap, n that decreases. After -1 the cursor stays there and gives -1 again. */
int64_t trace_next(struct trace_cursor *c, struct event *out, size_t max, struct error *error);

/* Index of the next event. Cannot fail. */
uint64_t trace_cursor_index(const struct trace_cursor *c);

/* Idle time of the guest before the next event: guest time is n + this. Cannot fail. */
uint64_t trace_cursor_idle_ns(const struct trace_cursor *c);

/* Frees; NULL is allowed. */
void trace_cursor_free(struct trace_cursor *c);
