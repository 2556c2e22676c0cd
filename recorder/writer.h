/* The thread that writes the trace, so that neither the guest nor the console waits for compression or the disk.
 *
 * One producer (the recording loop) gives events; the thread appends them and commits at least twice a second. The
 * queue is bounded: writer_room says how much fits, and what does not fit stays in the machine's ring, which stalls the
 * guest. */
#pragma once
#include "hv/abi/event.h"
#include "hv/error/error.h"
#include "recorder/keyframes.h"
#include "storage/trace.h"
#include <stddef.h>

struct writer;

/* How much of the run the trace keeps, from a keyframe on: at least the last `ns` of guest time, or what takes about
 * the last `bytes` of events and keyframes. 0: no limit. */
struct writer_keep {
	uint64_t ns, bytes;
};

/* Takes over `trace`, which must not be used until writer_stop returned. NULL: error set. */
struct writer *writer_start(struct trace_writer *trace, struct writer_keep keep, struct error *error);
/* How many events can be given now. Cannot fail. */
size_t writer_room(struct writer *writer);
/* Gives `count` events, at most writer_room. Cannot fail. */
void writer_give(struct writer *writer, const struct event *events, size_t count);
/* What devices' events need in the trace: contents of a disk's blocks from `first` on (NULL: zeroes), and bytes of an
 * event. To be given before the event. False: out of memory. */
bool writer_give_blocks(struct writer *writer, uint32_t disk, uint64_t first, uint64_t count, uint64_t event,
			const uint8_t *bytes);
bool writer_give_payload(struct writer *writer, uint64_t event, const void *data, size_t bytes);
/* Whether as much of that may be given as one request of a device needs; if not, the guest has to wait. Cannot fail. */
bool writer_has_room_for_data(struct writer *writer);
/* Whether the writer is ready for a keyframe: it has one at a time. Cannot fail. */
bool writer_wants_keyframe(struct writer *writer);
/* Gives a keyframe, which is the writer's then; only when it wants one. Cannot fail. */
void writer_give_keyframe(struct writer *writer, struct capture *capture);
/* Whether everything was written so far; fills `error` if not. */
bool writer_healthy(struct writer *writer, struct error *error);
/* Writes what is queued, commits, ends the thread and frees. False: something could not be written, error set. */
bool writer_stop(struct writer *writer, struct error *error);
