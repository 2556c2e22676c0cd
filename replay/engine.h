/* The engine: a machine that replays for a debugger, and its commands. It knows positions and memory, no checkpoints.
 *
 * After engine_run and engine_load the machine is stopped; `state` and guest RAM are then the guest's. */
#pragma once
#include "hv/host/machine.h"
#include "replay/events.h"
#include <poll.h>

enum { ENGINE_WAKE_MAX = 4 };

struct engine {
	struct machine *machine;
	struct events *events;
	struct trace_reader *trace;
	uint64_t first_event;        /* the trace's index of the ring's event 0 */
	uint64_t **leaf_tables;      /* stage 2's tables of guest RAM, one for each 2 MiB */
	uint64_t page_count;         /* of guest RAM */
	const struct pollfd *wake;   /* any of these readable: interrupt a run */
	nfds_t wake_count;           /* up to ENGINE_WAKE_MAX */
	bool (*tick)(void *context); /* called now and then in what takes long; true: end that. NULL: nothing is */
	void *tick_context;
	bool ending; /* tick wanted the end, and nobody was told yet */
};

/* Opens the trace and brings its guest to position 0. NULL: error set. */
struct engine *engine_open(const char *trace, struct error *error);
void engine_close(struct engine *engine);

/* To be asked now and then by what takes long without the machine: whether it is to end. Says so once; so does
 * engine_run. */
bool engine_interrupted(struct engine *engine);

/* The guest as it is now. */
const struct guest_state *engine_state(const struct engine *engine);
/* The trace's index of the next event that the guest has not passed. */
uint64_t engine_next_event(const struct engine *engine);

enum engine_stop { ENGINE_UNTIL, ENGINE_END, ENGINE_BREAKPOINT, ENGINE_WATCHPOINT, ENGINE_INTERRUPTED, ENGINE_FAILED };

/* Replays up to position `until_n`, or a point. `address` is the point's that was hit. ENGINE_FAILED: error set. */
enum engine_stop engine_run(struct engine *engine, uint64_t until_n, const struct hv_debug_point *points, size_t count,
			    uint64_t *address, struct error *error);

struct engine_page {
	uint64_t index; /* of the page in guest RAM */
	const uint8_t *bytes;
};

/* Becomes `state`, whose next event is `next_event`, with these pages changed in RAM; forgets what was dirty. */
bool engine_load(struct engine *engine, const struct guest_state *state, uint64_t next_event,
		 const struct engine_page *pages, size_t count, struct error *error);

/* Whether the page was written since the last engine_load. */
bool engine_page_dirty(const struct engine *engine, uint64_t index);
uint8_t *engine_page(const struct engine *engine, uint64_t index);
