/* Getting to a position: checkpoints where they are safe, and runs from them. */
#include "replay/travel/timeline.h"
#include "hv/abi/descriptor.h"
#include "hv/abi/pstate.h"
#include "replay/guest/exclusive.h"
#include "replay/trace/place.h"
#include "replay/travel/timeline_state.h"

#include <stdlib.h>
#include <string.h>

/* How near a view has to be to a checkpoint, and how far away is too far. */
#define NEAR_INSNS UINT64_C(50000)
#define FAR_INSNS  UINT64_C(200000)
/* How far a guest is run to show that it did not notice a stop. */
#define PROOF_INSNS UINT64_C(4096)

uint64_t timeline_n(const struct timeline *timeline)
{
	return engine_state(timeline->engine)->n;
}

const struct guest_state *timeline_state(const struct timeline *timeline)
{
	return engine_state(timeline->engine);
}

struct timeline_place timeline_place(const struct timeline *timeline)
{
	return (struct timeline_place){timeline_n(timeline), timeline_vcpu(timeline)->pc};
}

struct engine *timeline_engine(struct timeline *timeline)
{
	return timeline->engine;
}

struct guest_memory timeline_memory(const struct timeline *t)
{
	struct guest_memory memory = {
		.ram = engine_page(t->engine, 0),
		.bytes = engine_page_count(t->engine) * PAGE_BYTES,
	};
	memory.flash = engine_flash(t->engine, &memory.flash_bytes);
	return memory;
}

bool timeline_is_vector(const struct timeline *t, uint64_t address)
{
	uint64_t offset = address - timeline_vcpu(t)->vbar_el1;
	return offset < VECTORS_BYTES && offset % VECTOR_BYTES == 0;
}

const struct checkpoints *timeline_checkpoints(const struct timeline *timeline)
{
	return &timeline->checkpoints;
}

uint64_t timeline_end_n(const struct timeline *timeline)
{
	return timeline->end_n;
}

uint64_t timeline_start_n(const struct timeline *timeline)
{
	return timeline->checkpoints.at[0].n;
}

bool timeline_checkpoint_here(struct timeline *t, struct error *error)
{
	size_t taken = checkpoints_take(&t->checkpoints, t->engine, t->base, timeline_n(t), error);
	if (taken == SIZE_MAX)
		return false;
	t->base = taken;
	/* What is dirty counts from here on. */
	return checkpoints_restore(&t->checkpoints, t->engine, taken, taken, error);
}

/* Only an end without end leaves the position where it is. */
static bool end_find(struct timeline *t, struct error *error)
{
	uint64_t count = events_count(engine_events(t->engine));
	if (!place_end(engine_events(t->engine), &t->end_n, error) || count == events_first(engine_events(t->engine)))
		return error->status == STATUS_OK;
	const struct event *last = events_get(engine_events(t->engine), count - 1, error);
	if (last && last->kind == EVENT_END && last->address == END_REASON_EXCEPTION_LOOP)
		t->end_pc = last->pc;
	return last != NULL;
}

struct timeline *timeline_open(const char *trace, uint64_t n, struct interruption *interruption, struct error *error)
{
	struct timeline *t = calloc(1, sizeof(*t));
	if (!t)
		return error_set(error, STATUS_FAILED, "out of memory"), NULL;
	t->engine = engine_open(trace, n, interruption, error);
	if (t->engine)
		end_find(t, error);
	if (t->engine && error->status == STATUS_OK && checkpoints_open(&t->checkpoints, t->engine, n, error)) {
		t->base = checkpoints_before(&t->checkpoints, timeline_n(t));
		if (n < t->end_n)
			timeline_goto(t, n, error);
		else
			timeline_goto_end(t, error);
	}
	if (error->status != STATUS_OK) {
		timeline_close(t);
		return NULL;
	}
	return t;
}

void timeline_close(struct timeline *timeline)
{
	if (!timeline)
		return;
	hits_free(&timeline->known);
	checkpoints_free(&timeline->checkpoints);
	engine_close(timeline->engine);
	free(timeline);
}

/* Where the recording stopped because of this event; UINT64_MAX: nowhere that is sure. */
static uint64_t safe_position(const struct event *event)
{
	switch (event->kind) {
	case EVENT_EXIT:
		return event->n;
	case EVENT_MMIO_READ:
	case EVENT_MMIO_WRITE:
	case EVENT_SYSREG_READ:
	case EVENT_SYSREG_WRITE:
		return event->n + 1;
	default:
		return UINT64_MAX;
	}
}

/* The last safe position in (low, high], or the first; 0: there is none. */
static uint64_t safe_last(struct timeline *t, uint64_t low, uint64_t high, struct error *error)
{
	uint64_t index = events_find(engine_events(t->engine), high + 1, error);
	while (index-- > events_first(engine_events(t->engine))) {
		const struct event *event = events_get(engine_events(t->engine), index, error);
		if (!event || event->n < low)
			return 0;
		uint64_t safe = safe_position(event);
		if (safe <= high && safe > low)
			return safe;
	}
	return 0;
}

uint64_t timeline_safe_first(struct timeline *t, uint64_t low, uint64_t high, struct error *error)
{
	uint64_t count = events_count(engine_events(t->engine));
	for (uint64_t index = events_find(engine_events(t->engine), low, error); index < count; index++) {
		const struct event *event = events_get(engine_events(t->engine), index, error);
		if (!event || event->n > high)
			return 0;
		uint64_t safe = safe_position(event);
		if (safe <= high && safe > low)
			return safe;
	}
	return 0;
}

bool timeline_load(struct timeline *t, size_t target, struct error *error)
{
	if (!checkpoints_restore(&t->checkpoints, t->engine, t->base, target, error))
		return false;
	t->base = target;
	return true;
}

static bool load_before(struct timeline *t, uint64_t n, struct error *error)
{
	return timeline_load(t, checkpoints_before(&t->checkpoints, n), error);
}

struct stop timeline_run_through(struct timeline *t, uint64_t until_n, struct points points, struct error *error)
{
	const struct engine_order order = {.until_n = until_n, .points = points};
	struct stop stop = engine_run(t->engine, &order, error);
	if (stop.kind != STOP_INTERRUPTED)
		return stop;
	error_set(error, STATUS_FAILED, "interrupted");
	return (struct stop){STOP_FAILED, 0};
}

static bool run_to(struct timeline *t, uint64_t n, struct error *error)
{
	return timeline_run_through(t, n, POINTS_NONE, error).kind != STOP_FAILED;
}

/* Runs from a checkpoint to a safe position and takes a checkpoint there. */
static bool run_to_safe(struct timeline *t, uint64_t n, struct error *error)
{
	return run_to(t, n, error) && timeline_checkpoint_here(t, error);
}

bool timeline_inside_exclusive(const struct timeline *t)
{
	return exclusive_inside(timeline_memory(t), timeline_vcpu(t));
}

/* What the guest did up to here, as far as its registers, and its reads of the counter, tell. */
static bool registers_equal(const struct guest_state *a, const struct guest_state *b)
{
	bool equal = a->n == b->n && a->current == b->current && memcmp(&a->patch, &b->patch, sizeof(a->patch)) == 0;
	for (uint32_t i = 0; equal && i < a->vcpu_count; i++) {
		const struct vcpu_state *x = &a->vcpu[i], *y = &b->vcpu[i];
		equal = memcmp(x->x, y->x, sizeof(x->x)) == 0 && x->pc == y->pc && x->pstate == y->pstate &&
			x->sp_el0 == y->sp_el0 && x->sp_el1 == y->sp_el1;
	}
	return equal;
}

/* Takes a checkpoint at `n`, where the recording did not stop, if it is shown that the guest does not notice: run
 * through and run with the stop, it comes to the same place. The engine is at checkpoint `base`, and is somewhere
 * afterwards. */
static bool checkpoint_view(struct timeline *t, uint64_t n, struct error *error)
{
	uint64_t proof_n = n + PROOF_INSNS;
	if (!run_to(t, proof_n, error))
		return false;
	struct guest_state *through = malloc(sizeof(*through));
	if (!through)
		return error_set(error, STATUS_FAILED, "out of memory");
	*through = *timeline_state(t);
	bool done = load_before(t, n, error) && run_to(t, n, error);
	if (done && !timeline_inside_exclusive(t) && (done = timeline_checkpoint_here(t, error))) {
		done = run_to(t, proof_n, error);
		if (!done || !registers_equal(through, timeline_state(t))) {
			size_t bad = t->base;
			done = checkpoints_restore(&t->checkpoints, t->engine, bad, bad - 1, error) && done;
			t->base = bad - 1;
			if (!checkpoints_drop(&t->checkpoints, bad))
				done = error_set(error, STATUS_FAILED, "out of memory for checkpoints");
		}
	}
	free(through);
	return done;
}

/* Has a checkpoint near `n`, wherever the recording stopped. */
static bool checkpoint_near(struct timeline *t, uint64_t n, struct error *error)
{
	if (n - timeline_n(t) <= FAR_INSNS)
		return true;
	return checkpoint_view(t, n - NEAR_INSNS / 2, error) && load_before(t, n, error);
}

bool timeline_goto(struct timeline *t, uint64_t n, struct error *error)
{
	n = n < t->end_n ? n : t->end_n;
	n = n > timeline_start_n(t) ? n : timeline_start_n(t);
	if (!load_before(t, n, error))
		return false;
	for (;;) {
		uint64_t here = timeline_n(t);
		uint64_t last = safe_last(t, here, n, error);
		if (last == 0 || (n - here <= NEAR_INSNS && n - last >= (n - here) / 2))
			break;
		uint64_t next = last - here > TIMELINE_STRIDE_INSNS
					? timeline_safe_first(t, here + TIMELINE_STRIDE_INSNS, last, error)
					: last;
		if (!run_to_safe(t, next != 0 ? next : last, error))
			return false;
	}
	return checkpoint_near(t, n, error) && run_to(t, n, error);
}

/* A place that no breakpoint comes to shares its position with one that goto comes to, at the end of the trace. */
static bool go_back(struct timeline *t, struct timeline_place place, struct error *error)
{
	const struct hv_debug_point point = {.address = place.pc};
	if (!timeline_goto(t, place.n, error))
		return false;
	if (timeline_place(t).pc == place.pc)
		return true;
	struct stop stop = timeline_run_through(t, place.n + 1, (struct points){&point, 1, NULL}, error);
	return stop.kind == STOP_BREAKPOINT || (stop.kind != STOP_FAILED && timeline_goto(t, place.n, error));
}

bool timeline_return(struct timeline *t, struct timeline_place place, struct error *error)
{
	struct error interrupted = {.status = STATUS_OK};
	return go_back(t, place, &interrupted) || go_back(t, place, error);
}

bool timeline_is_before_end(const struct timeline *t)
{
	return t->end_pc != 0 && timeline_n(t) == t->end_n && timeline_place(t).pc != t->end_pc;
}

bool timeline_goto_end(struct timeline *t, struct error *error)
{
	return timeline_goto(t, t->end_n, error) &&
	       (!timeline_is_before_end(t) || go_back(t, (struct timeline_place){t->end_n, t->end_pc}, error));
}
