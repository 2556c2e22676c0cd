/* The engine from inside, for the files of replay/run alone, and for a test that puts one together. */
#pragma once
#include "hv/host/dirty.h"
#include "replay/run/engine.h"

struct engine {
	struct machine *machine;
	struct events *events;
	struct virtio_list devices;
	struct trace_reader *trace;
	struct supply *supply; /* what the guest's devices get */
	struct keyframe_index keyframes;
	struct guest_state *start_state;   /* of position 0 */
	uint64_t start_next_event;         /* the first that start_state has not seen: input may stand at position 0 */
	uint64_t first_event;              /* the trace's index of the ring's event 0 */
	struct dirty dirty;                /* pages written since the last engine_load */
	uint64_t page_count;               /* of guest RAM */
	struct interruption *interruption; /* NULL: nothing ends a run */
	bool diverted, changed;            /* changed: hv does not know all of `state` yet */
	/* Diverted: what the guest prints. NULL: it is dropped. */
	void (*console)(void *context, const uint8_t *bytes, size_t count);
	void *console_context;
};

/* engine_ring.c: the event ring. Makes it empty, to begin with the trace's event `next_event`. */
void engine_ring_restart(struct engine *engine, uint64_t next_event);
/* Keeps events before the guest; diverted, takes those that it has left. False: the trace is damaged, error set. */
bool engine_ring_serve(struct engine *engine, struct error *error);
