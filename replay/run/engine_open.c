/* Opening an engine: a machine is started at the keyframe before the place that is wanted, and closed again. */
#include "hv/abi/descriptor.h"
#include "replay/run/engine_state.h"
#include "replay/run/guest.h"
#include "replay/run/supply.h"

#include <stdlib.h>

/* The keyframe to begin at; SIZE_MAX: the trace's beginning. Makes RAM that of the keyframe. */
static bool keyframe_choose(struct engine *engine, uint64_t n, size_t *keyframe, struct error *error)
{
	uint64_t start_n = trace_start_n(engine->trace);
	if (!keyframe_index_open(&engine->keyframes, engine->trace, engine->page_count, error))
		return false;
	*keyframe = keyframe_index_before(&engine->keyframes, n > start_n ? n : start_n);
	if (*keyframe == SIZE_MAX)
		return true;
	engine_ring_restart(engine, engine->keyframes.at[*keyframe].row.next_event);
	return keyframe_index_ram(&engine->keyframes, *keyframe, engine->machine->guest_ram, error);
}

/* hv stands at position 0 first, whatever RAM holds, and says what a guest is there. */
static bool start_go(struct engine *engine, size_t keyframe, struct error *error)
{
	engine->start_state = malloc(sizeof(*engine->start_state));
	if (!engine->start_state)
		return error_set(error, STATUS_FAILED, "out of memory");
	if (engine_run(engine, &(struct engine_order){.until_n = 0}, error).kind == STOP_FAILED)
		return false;
	*engine->start_state = *engine_state(engine);
	if (keyframe == SIZE_MAX) {
		engine->start_next_event = engine_next_event(engine);
		return true;
	}
	struct guest_state *state = malloc(sizeof(*state));
	bool done = state && keyframe_index_state(&engine->keyframes, keyframe, state, error) &&
		    engine_load(engine, state, engine->keyframes.at[keyframe].row.next_event, NULL, 0, error);
	free(state);
	return done || error_set(error, STATUS_FAILED, "out of memory");
}

static bool engine_start(struct engine *engine, uint64_t n, struct error *error)
{
	struct machine_config config = {.mode = HV_MODE_REPLAY, .serve = true};
	size_t keyframe;
	engine->machine = guest_restore(engine->trace, &config, error);
	if (!engine->machine)
		return false;
	engine->page_count = engine->machine->guest_ram_bytes / PAGE_BYTES;
	if (!keyframe_choose(engine, n, &keyframe, error) || !machine_start(engine->machine, &config, error))
		return false;
	if (machine_state(engine->machine) == HV_STATE_REFUSED)
		return error_set(error, STATUS_FAILED, "the machine cannot replay: %.*s", HV_TEXT_BYTES,
				 engine->machine->mailbox->text);
	return guest_fingerprint_check(engine->machine, error) && dirty_open(&engine->dirty, engine->machine, error) &&
	       start_go(engine, keyframe, error);
}

struct engine *engine_open(const char *trace, uint64_t n, struct interruption *interruption, struct error *error)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	if (!engine)
		return error_set(error, STATUS_FAILED, "out of memory"), NULL;
	engine->interruption = interruption;
	engine->trace = trace_open(trace, error);
	if (engine->trace)
		engine->supply = supply_open(engine->trace, error);
	if (engine->supply && metadata_devices(engine->trace, &engine->devices, error))
		engine->events = events_open(engine->trace, error);
	if (engine->events && engine_start(engine, n, error))
		return engine;
	engine_close(engine);
	return NULL;
}

void engine_close(struct engine *engine)
{
	if (!engine)
		return;
	dirty_close(&engine->dirty);
	machine_destroy(engine->machine);
	free(engine->start_state);
	keyframe_index_close(&engine->keyframes);
	events_close(engine->events);
	supply_close(engine->supply);
	trace_close(engine->trace);
	free(engine);
}
