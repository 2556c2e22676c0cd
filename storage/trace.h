/* The trace: one sqlite file that holds a recording, complete in itself. The layout is in docs/TRACE-FORMAT.md.
 * 1. Writer: after the first failure every call does nothing and returns that failure again.
 * 2. What trace_commit returned true for survives a kill -9; a trace says "incomplete" until trace_finish.
 * 3. Reader: nothing in the file is trusted; damage is an error that names the file, never a crash.
 * A writer, or a reader with its cursors, belongs to one thread at a time. `error` is never NULL; status STATUS_FAILED.
 */
#pragma once
#include "hv/abi/event.h"
#include "hv/error/error.h"
#include "storage/trace_meta.h"
#include <stddef.h>

enum {
	TRACE_VERSION = 5,
	TRACE_FILE_BYTES_MAX = 900 << 20, /* of one named file; sqlite's own limit for a blob is 1e9 */
	TRACE_TEXT_BYTES_MAX = 1 << 20,
	TRACE_NAME_BYTES_MAX = 4096, /* of a named file's name */
	TRACE_BLOCK_BYTES = 4096,    /* of a disk */
	TRACE_DISKS_MAX = 256,
	TRACE_PAYLOAD_BYTES_MAX = 1 << 20, /* of one event */
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

/* Set a metadata value; `value` is UTF-8. What trace_meta.def says storage writes is the writer's own. */
bool trace_put_text(struct trace_writer *w, enum trace_meta_text key, const char *value, struct error *error);
bool trace_put_u64(struct trace_writer *w, enum trace_meta_number key, uint64_t value, struct error *error);
/* For a copy: what trace_each_meta gave, of a key that may be a later hvrec's. */
bool trace_put_meta(struct trace_writer *w, const char *key, const char *text, uint64_t number, struct error *error);

/* Makes a trace without events yet start at a keyframe at `n`: its first event has number `first_event`, and the guest
 * has idled `idle_ns` before. The keyframe is to be put before any commit. */
bool trace_start_at(struct trace_writer *w, uint64_t n, uint64_t first_event, uint64_t idle_ns, struct error *error);

/* Appends events, in order: n must not decrease, `zero` must be 0. They are in memory until the next commit. */
bool trace_append(struct trace_writer *w, const struct event *events, size_t count, struct error *error);

enum { TRACE_PAGE_BYTES = 4096, TRACE_GROUP_PAGES_MAX = 64 };

/* A page of guest RAM that was written since the keyframe before; `bytes` NULL: it holds the same again. */
struct trace_page {
	uint64_t index; /* of the page in RAM */
	const uint8_t *bytes;
};

/* A keyframe: the guest at a position from which a replay can start. RAM there is the start's (files "ram/IPA") with
 * the pages of all keyframes up to this one over it. */
struct trace_keyframe {
	uint64_t n;
	uint64_t next_event; /* the first that comes after it */
	uint64_t first_group, group_count;
};

/* Keeps pages of the keyframe that comes next: in any number of calls, all that were written since the one before, in
 * the order of RAM. */
bool trace_put_pages(struct trace_writer *w, const struct trace_page *pages, size_t count, struct error *error);
/* Keeps the keyframe itself, at `n`, right before event `next_event`. `state` is opaque here. Positions must grow
 * and are never 0. */
bool trace_put_keyframe(struct trace_writer *w, uint64_t n, uint64_t next_event, const void *state, size_t state_bytes,
			struct error *error);

/* The blocks of a disk are numbered from 0 to below this. */
#define TRACE_BLOCKS_MAX (UINT64_C(1) << 53)

/* Keeps a version of a block of a disk: its TRACE_BLOCK_BYTES after event `event`, or, for 0, what its image had before
 * any (no write is event 0, because a request is done behind an EXIT). Events never decrease from version to version,
 * of any block, but for 0, which may come at any time before the first event that needs it. An event makes one version
 * of a block at most. Equal contents are kept once. */
bool trace_put_block(struct trace_writer *w, uint32_t disk, uint64_t block, uint64_t event, const uint8_t *bytes,
		     struct error *error);
/* The same for `count` blocks of zeroes from `block` on, at the cost of one: what is discarded, or never was written.
 */
bool trace_put_zeroes(struct trace_writer *w, uint32_t disk, uint64_t block, uint64_t count, uint64_t event,
		      struct error *error);

/* Keeps the bytes that event `event` brought: a packet, entropy. Events must grow. */
bool trace_put_payload(struct trace_writer *w, uint64_t event, const void *data, size_t bytes, struct error *error);

/* Forgets everything that only a replay from before keyframe `n` needs: earlier keyframes and events, their payloads,
 * and their pages and blocks that were overwritten since. The trace then starts there. */
bool trace_forget_before(struct trace_writer *w, uint64_t n, struct error *error);

/* How many bytes of events, pages, blocks and payloads were written so far, compressed; what was forgotten counts too.
 * Cannot fail. */
uint64_t trace_put_bytes(const struct trace_writer *w);

/* Writes all that was appended or put. True: it survives the end of this process (not a power cut). */
bool trace_commit(struct trace_writer *w, struct error *error);

/* Commits, marks the trace complete and leaves exactly one file (while another program reads it, its -wal stays beside
 * it and still belongs to it). Afterwards only trace_writer_free is allowed. */
bool trace_finish(struct trace_writer *w, struct error *error);

/* Frees; NULL is allowed. Without trace_finish an incomplete trace remains, up to its last commit. Cannot fail. */
void trace_writer_free(struct trace_writer *w);

/* Removes a trace that nobody has open, and what sqlite keeps beside it. Cannot fail; what is not there is no matter.
 */
void trace_remove(const char *path);

/* Opens for reading, without changing the file; finished, incomplete, or still being recorded. NULL on failure. */
struct trace_reader *trace_open(const char *path, struct error *error);

/* Frees; NULL is allowed. All cursors must have been freed before. */
void trace_close(struct trace_reader *r);

enum trace_found { TRACE_FAILED = -1, TRACE_ABSENT = 0, TRACE_FOUND = 1 };

/* The twins of trace_put_*. *data and *value are malloc'd and the caller's (a NUL follows either), and only set at
 * TRACE_FOUND. TRACE_ABSENT does not fill `error`. */
enum trace_found trace_get_file(struct trace_reader *r, const char *name, void **data, size_t *bytes,
				struct error *error);
enum trace_found trace_get_text(struct trace_reader *r, enum trace_meta_text key, char **value, struct error *error);
enum trace_found trace_get_u64(struct trace_reader *r, enum trace_meta_number key, uint64_t *value,
			       struct error *error);

/* Calls `each` with the name of every named file, in the order of names, until it returns false. False: it did, or the
 * trace could not be read; error set. */
typedef bool trace_file_fn(const char *name, void *context, struct error *error);
bool trace_each_file(struct trace_reader *r, trace_file_fn *each, void *context, struct error *error);

/* Calls `each` with every metadata key, its text or (text NULL) its number, in the order of keys; as trace_each_file.
 */
typedef bool trace_meta_fn(const char *key, const char *text, uint64_t number, void *context, struct error *error);
bool trace_each_meta(struct trace_reader *r, trace_meta_fn *each, void *context, struct error *error);

/* True if the recording was finished. Cannot fail. */
bool trace_is_complete(const struct trace_reader *r);

/* Where the trace starts: position, and number of the first event. 0, or those of its first keyframe if what was before
 * has been forgotten. Cannot fail. */
uint64_t trace_start_n(const struct trace_reader *r);
uint64_t trace_first_event(const struct trace_reader *r);

/* All keyframes that can be used, in order: events up to each are there. *keyframes is malloc'd and the caller's. */
bool trace_get_keyframes(struct trace_reader *r, struct trace_keyframe **keyframes, size_t *count, struct error *error);
/* A keyframe's state, which must have exactly `state_bytes`. */
bool trace_get_keyframe_state(struct trace_reader *r, const struct trace_keyframe *keyframe, void *state,
			      size_t state_bytes, struct error *error);
/* The indexes of the pages that were written since the keyframe before but hold the same again. *same is malloc'd and
 * the caller's. */
bool trace_get_keyframe_same(struct trace_reader *r, const struct trace_keyframe *keyframe, uint64_t **same,
			     size_t *count, struct error *error);
/* The ids of all page groups below `end`, in order; malloc'd, the caller's. */
bool trace_get_groups(struct trace_reader *r, uint64_t end, uint64_t **ids, size_t *count, struct error *error);
/* A page group: which pages of RAM it has (returns how many, 0 on failure), and their bytes one after the other. */
size_t trace_get_group_indexes(struct trace_reader *r, uint64_t id, uint64_t indexes[TRACE_GROUP_PAGES_MAX],
			       struct error *error);
bool trace_get_group(struct trace_reader *r, uint64_t id, uint8_t pages[TRACE_GROUP_PAGES_MAX * TRACE_PAGE_BYTES],
		     struct error *error);

/* The newest version of a block that an event before `before_event` made, or the image's. TRACE_ABSENT: the trace has
 * none, the guest never needed it. The first call reads the index of all versions into memory; of a trace that is being
 * recorded it is read again when `before_event` is beyond it, so that all events that are committed count, but an
 * image's block that was needed later may be absent. */
enum trace_found trace_get_block(struct trace_reader *r, uint32_t disk, uint64_t block, uint64_t before_event,
				 uint8_t bytes[TRACE_BLOCK_BYTES], struct error *error);

/* Calls `each` with every block of the disk that trace_get_block would find, in the order of blocks, until it returns
 * false: one at a time with its bytes, which are valid during the call, or `bytes` NULL: `count` blocks of zeroes.
 * False: it did, or the trace could not be read; error set. */
typedef bool trace_block_fn(uint64_t block, uint64_t count, const uint8_t *bytes, void *context, struct error *error);
bool trace_each_block(struct trace_reader *r, uint32_t disk, uint64_t before_event, trace_block_fn *each, void *context,
		      struct error *error);

/* The twin of trace_put_payload; as trace_get_file. */
enum trace_found trace_get_payload(struct trace_reader *r, uint64_t event, void **data, size_t *bytes,
				   struct error *error);

/* Puts into `to` what a replay from event `first_event` to before `end_event` needs of blocks and payloads: of each
 * block the newest version before, as event 0, and what the events wrote and brought. */
bool trace_copy_blocks(struct trace_reader *from, struct trace_writer *to, uint64_t first_event, uint64_t end_event,
		       struct error *error);
bool trace_copy_payloads(struct trace_reader *from, struct trace_writer *to, uint64_t first_event, uint64_t end_event,
			 struct error *error);

struct trace_totals {
	uint64_t event_count; /* the number of the last one + 1 */
	uint64_t chunk_count;
	uint64_t last_n;         /* of the last event; 0 without events */
	uint64_t raw_bytes;      /* of the events, encoded but not compressed */
	uint64_t stored_bytes;   /* of the events, compressed */
	uint64_t file_count;     /* named files */
	uint64_t blob_raw_bytes; /* their contents, equal ones counted once */
	uint64_t blob_stored_bytes;
	uint64_t keyframe_count;
	uint64_t page_count;            /* kept for keyframes */
	uint64_t keyframe_stored_bytes; /* those pages, compressed, and the keyframes themselves */
	uint64_t block_count;           /* versions of blocks of disks */
	uint64_t block_content_count;   /* different contents of theirs that are kept */
	uint64_t block_stored_bytes;    /* those, compressed, and the list of versions */
	uint64_t payload_count;
	uint64_t payload_stored_bytes; /* compressed */
};

/* How many chunks the cursors of this reader have decoded so far. Cannot fail. */
uint64_t trace_chunks_read(const struct trace_reader *r);

bool trace_get_totals(struct trace_reader *r, struct trace_totals *totals, struct error *error);

/* The totals' event_count and last_n alone: as cheap in a long trace as in a short one. */
bool trace_get_end(struct trace_reader *r, uint64_t *event_count, uint64_t *last_n, struct error *error);

/* Size of the database, bytes: of the file, and of what is committed beside it already. */
bool trace_get_bytes(struct trace_reader *r, uint64_t *bytes, struct error *error);

/* A cursor before event `first_event` (0, or any before trace_first_event: the first; the number of events: the end,
 * nothing beyond). NULL on failure. */
struct trace_cursor *trace_seek(struct trace_reader *r, uint64_t first_event, struct error *error);

/* A cursor before the first event whose n is at least `n`, or whose guest time is at least `ns`; at the end if there is
 * none. Only the chunks from there on are read, and checked. NULL on failure. */
struct trace_cursor *trace_seek_n(struct trace_reader *r, uint64_t n, struct error *error);
struct trace_cursor *trace_seek_ns(struct trace_reader *r, uint64_t ns, struct error *error);

/* What the events of each kind take in the file; [0]: what a chunk takes at any rate, and kinds that do not exist. The
 * sums are trace_totals' raw_bytes and stored_bytes. An event's raw bytes are those that its decoding takes; compressed
 * ones cannot be kept apart, so each chunk's are shared out in the proportion of its raw ones. */
struct trace_weights {
	uint64_t raw_bytes[EVENT_KIND_MAX + 1];
	uint64_t stored_bytes[EVENT_KIND_MAX + 1];
};

/* A cursor before the first event; each chunk that it reads is added to *weights, which must live as long as it. NULL
 * on failure. */
struct trace_cursor *trace_weigh(struct trace_reader *r, struct trace_weights *weights, struct error *error);

/* Moves the cursor to where trace_seek or trace_seek_n would put one, if that is in the chunk that it has decoded.
 * False: it is not there, or not certainly; the cursor is where it was. */
bool trace_cursor_try(struct trace_cursor *c, uint64_t event);
bool trace_cursor_try_n(struct trace_cursor *c, uint64_t n);

/* Reads up to `max` events. Returns how many, 0 only at the end (or for max 0), -1 on damage: a checksum, a malformed
 * chunk, a gap, n that decreases. After -1 the cursor stays there and gives -1 again. */
int64_t trace_next(struct trace_cursor *c, struct event *out, size_t max, struct error *error);

/* Idle time of the guest before the next event: guest time is n + this. Cannot fail. */
uint64_t trace_cursor_idle_ns(const struct trace_cursor *c);

/* Number in the trace of the next event; at the end, the number of events. Cannot fail. */
uint64_t trace_cursor_event(const struct trace_cursor *c);

/* Frees; NULL is allowed. */
void trace_cursor_free(struct trace_cursor *c);
