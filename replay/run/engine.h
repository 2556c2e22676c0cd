/* The engine: a machine that replays for a debugger, and its commands. It knows positions and memory, no checkpoints.
 *
 * 1. After engine_run, engine_run_diverted and engine_load the machine is stopped; `state` and guest RAM are then the
 * guest's.
 * 2. Diverted, from the first engine_change or engine_write to the next engine_load, the guest is no longer the
 * recording's: engine_run and checkpoints are out of place. What is written then is dirty, as what the guest writes. */
#pragma once
#include "replay/run/interruption.h"
#include "replay/run/points.h"
#include "replay/run/stop.h"
#include "replay/trace/events.h"
#include "replay/trace/keyframe_index.h"
#include "replay/trace/metadata.h"

/* Machines that one command runs at a time, at most. */
enum { ENGINE_JOBS_MAX = 64 };

struct engine;

/* Opens the trace and brings its guest to the last keyframe at or before `n`, or to the trace's start. `interruption`,
 * which outlives the engine, ends its runs. NULL: error set. */
struct engine *engine_open(const char *trace, uint64_t n, struct interruption *interruption, struct error *error);
void engine_close(struct engine *engine);

/* To be asked now and then by what takes long without the machine: whether it is to end. Says so once; so does
 * engine_run. */
bool engine_interrupted(struct engine *engine);

/* Whether a run that can be woken would end at once. */
bool engine_woken(const struct engine *engine);

/* The trace, its events and its keyframes. */
struct trace_reader *engine_trace(const struct engine *engine);
struct events *engine_events(const struct engine *engine);
/* The guest's virtio devices, as the trace names them. Cannot fail. */
const struct virtio_list *engine_devices(const struct engine *engine);
const struct keyframe_index *engine_keyframes(const struct engine *engine);
/* The guest at position 0, and the first event that it has not seen: input may stand at position 0. */
const struct guest_state *engine_start_state(const struct engine *engine, uint64_t *next_event);

/* The guest as it is now. */
const struct guest_state *engine_state(const struct engine *engine);
/* The trace's index of the next event that the guest has not passed; diverted, of when it was diverted. */
uint64_t engine_next_event(const struct engine *engine);

/* How far to run, and what stops it before. */
struct engine_order {
	uint64_t until_n;     /* a position */
	struct points points; /* at most HV_DEBUG_POINTS_MAX */
	uint64_t hit_room;    /* so many hits the run may go on from and log; 0: it stops at the first */
	bool can_be_woken;    /* struct interruption's files end it, too */
};

/* The hits that the last engine_run went on from. They are there until engine_load or engine_write. */
const struct hv_hit *engine_hits(const struct engine *engine, size_t *count);

/* Replays up to a position, or to a point. STOP_NONE: it is at that position; STOP_END: the trace ends before. */
struct stop engine_run(struct engine *engine, const struct engine_order *order, struct error *error);

/* The position of a guest that is running, at its last exit. */
uint64_t engine_running_n(const struct engine *engine);

struct engine_page {
	uint64_t index; /* of the page in guest RAM */
	uint64_t lines; /* bit i: what RAM has in the 64 bytes from 64 * i on is other than `bytes` */
	const uint8_t *bytes;
};

/* Becomes `state`, whose next event is `next_event`, with these pages changed in RAM; forgets what was written. */
bool engine_load(struct engine *engine, const struct guest_state *state, uint64_t next_event,
		 const struct engine_page *pages, size_t count, struct error *error);

/* Pages of guest RAM, and the bytes of one. */
uint64_t engine_page_count(const struct engine *engine);
uint8_t *engine_page(const struct engine *engine, uint64_t index);
/* The firmware's image in flash, of *bytes, which is 0 where there is none. */
const uint8_t *engine_flash(const struct engine *engine, uint64_t *bytes);
/* The hash of all of guest RAM, into STATE_HASH_TEXT_BYTES (hv/host/state_hash.h). False: out of memory. */
bool engine_memory_hash(const struct engine *engine, char *hash, struct error *error);

/* Words of a set of pages: page i is bit i % 64 of word i / 64. */
uint64_t engine_page_set_words(const struct engine *engine);
/* Sets `pages` to those that were written since the last engine_load. */
void engine_pages_written(const struct engine *engine, uint64_t *pages);
/* The guest's state, to be changed; hv takes it over before it runs. Diverts the guest. Cannot fail. */
struct guest_state *engine_change(struct engine *engine);
/* Writes guest RAM, inside of one page: `offset` in RAM, up to 4096 bytes. Diverts the guest. */
bool engine_write(struct engine *engine, uint64_t offset, const void *bytes, size_t count, struct error *error);
/* engine_run for a diverted guest, which runs without the recording: no events, no input, idle time passes at once.
 * STOP_END: the guest came to an end of its own, enum end_reason. */
struct stop engine_run_diverted(struct engine *engine, const struct engine_order *order, struct error *error);
enum end_reason engine_end_reason(const struct engine *engine);
/* With END_REASON_UNSUPPORTED: what hv says of it, up to HV_TEXT_BYTES. */
const char *engine_end_text(const struct engine *engine);
bool engine_is_diverted(const struct engine *engine);
/* What a diverted guest prints goes to `console`; NULL: it is dropped. */
void engine_listen(struct engine *engine, void (*console)(void *context, const uint8_t *bytes, size_t count),
		   void *context);
