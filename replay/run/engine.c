/* Commands to hv, and its event ring, which is filled a little at a time: most runs are short. */
#include "replay/run/engine.h"
#include "hv/abi/descriptor.h"
#include "hv/host/session.h"
#include "hv/host/event_console.h"
#include "replay/run/divergence.h"
#include "replay/run/guest.h"

#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 10, RING_FILL_EVENTS = 1024, CONSOLE_EVENTS = 256, LINE_BYTES = 64 };

const struct guest_state *engine_state(const struct engine *engine)
{
	return &engine->machine->mailbox->final_state;
}

uint64_t engine_next_event(const struct engine *engine)
{
	uint64_t passed = engine->diverted ? 0 : machine_index_load(&engine->machine->mailbox->event_tail);
	return engine->first_event + passed;
}

/* Keeps RING_FILL_EVENTS events before the guest. */
static bool ring_fill(struct engine *engine, struct error *error)
{
	struct hv_mailbox *mailbox = engine->machine->mailbox;
	uint64_t ring_count = engine->machine->boot->event_ring_count;
	uint64_t head = mailbox->event_head;
	uint64_t total = events_count(engine->events);
	uint64_t wanted = machine_index_load(&mailbox->event_tail) + RING_FILL_EVENTS;
	for (; head < wanted && engine->first_event + head < total; head++) {
		const struct event *event = events_get(engine->events, engine->first_event + head, error);
		if (!event)
			return false;
		engine->machine->events[head % ring_count] = *event;
	}
	machine_index_store(&mailbox->event_head, head);
	if (engine->first_event + head >= total)
		__atomic_store_n(&mailbox->events_ended, 1, __ATOMIC_SEQ_CST);
	machine_ring_if_waiting(engine->machine);
	return true;
}

/* Diverted, events come from hv, for what the guest prints. */
static void ring_drain(struct engine *engine)
{
	struct machine *machine = engine->machine;
	uint64_t ring_count = machine->boot->event_ring_count;
	uint64_t head = machine_index_load(&machine->mailbox->event_head);
	for (uint64_t tail = machine->mailbox->event_tail, count; tail != head; tail += count) {
		uint8_t bytes[CONSOLE_EVENTS];
		uint64_t slot = tail % ring_count;
		count = head - tail < CONSOLE_EVENTS ? head - tail : CONSOLE_EVENTS;
		count = count < ring_count - slot ? count : ring_count - slot;
		size_t printed = event_console_bytes(&machine->events[slot], count, bytes);
		if (engine->console && printed > 0)
			engine->console(engine->console_context, bytes, printed);
		machine_index_store(&machine->mailbox->event_tail, tail + count);
	}
	machine_ring_if_waiting(machine);
}

static bool ring_serve(struct engine *engine, struct error *error)
{
	if (!engine->diverted)
		return ring_fill(engine, error);
	ring_drain(engine);
	return true;
}

static void ring_restart(struct engine *engine, uint64_t next_event)
{
	struct hv_mailbox *mailbox = engine->machine->mailbox;
	engine->first_event = next_event;
	mailbox->events_ended = 0;
	machine_index_store(&mailbox->event_tail, 0);
	machine_index_store(&mailbox->event_head, 0);
}

/* Waits a little: for the doorbell, or for a reason to interrupt a run. */
static void machine_wait(const struct engine *engine, bool can_be_woken)
{
	struct machine *machine = engine->machine;
	struct pollfd fds[1 + INTERRUPTION_WAKE_MAX] = {{.fd = machine->doorbell_fd, .events = POLLIN}};
	bool asleep = !can_be_woken || machine->mailbox->interrupt;
	nfds_t wake_count = asleep ? 0 : interruption_wake(engine->interruption, &fds[1]);
	poll(fds, 1 + wake_count, TICK_MS);
	machine_doorbell_take(machine);
	for (nfds_t i = 0; i < wake_count; i++) {
		if (fds[1 + i].revents != 0)
			machine->mailbox->interrupt = 1;
	}
}

bool engine_interrupted(struct engine *engine)
{
	interruption_tick(engine->interruption);
	return interruption_take(engine->interruption);
}

bool engine_woken(const struct engine *engine)
{
	return interruption_woken(engine->interruption);
}

/* Sends a command and waits until hv has stopped again. */
static bool command(struct engine *engine, enum hv_command kind, bool can_be_woken, struct error *error)
{
	struct machine *machine = engine->machine;
	struct machine_watch watch = {0};
	int64_t asked_ns = 0;
	if (kind == HV_COMMAND_RUN && !ring_serve(engine, error))
		return false;
	machine->mailbox->interrupt = 0;
	__atomic_store_n(&machine->mailbox->state, (uint32_t)HV_STATE_RUNNING, __ATOMIC_SEQ_CST);
	machine_command(machine, kind);
	while (machine_state(machine) == HV_STATE_RUNNING) {
		machine_wait(engine, can_be_woken);
		interruption_tick(engine->interruption);
		if (kind == HV_COMMAND_RUN && interruption_is_due(engine->interruption))
			machine->mailbox->interrupt = 1;
		if (machine->mailbox->interrupt) {
			machine_ring(machine);
			asked_ns = asked_ns != 0 ? asked_ns : session_now_ns();
		}
		if (!ring_serve(engine, error) || !machine_running(machine, error))
			return false;
		if (machine_is_deaf(asked_ns, session_now_ns()))
			return error_set(error, STATUS_FAILED, "the machine does not stop");
		if (machine_stuck(machine, &watch))
			return error_set(error, STATUS_FAILED, "the machine makes no progress at instruction %llu",
					 (unsigned long long)watch.n);
	}
	if (engine->diverted)
		ring_drain(engine);
	return true;
}

static enum stop_kind stop_of(const struct engine *engine, uint64_t until_n, struct error *error)
{
	const struct hv_mailbox *mailbox = engine->machine->mailbox;
	switch (machine_state(engine->machine)) {
	case HV_STATE_STOPPED:
		return mailbox->stop == HV_STOP_WATCHPOINT ? STOP_WATCHPOINT : STOP_BREAKPOINT;
	case HV_STATE_ENDED:
		if (mailbox->end_reason != 0)
			return STOP_END;
		if (mailbox->now_n >= until_n)
			return STOP_NONE;
		return mailbox->interrupt ? STOP_INTERRUPTED : STOP_END;
	case HV_STATE_DIVERGED:
		divergence_report(mailbox, engine->first_event, error);
		return STOP_FAILED;
	default:
		error_set(error, STATUS_FAILED, "hv failed, please report it: %.*s", HV_TEXT_BYTES, mailbox->text);
		return STOP_FAILED;
	}
}

static struct hv_page *staging_of(const struct machine *machine)
{
	return (struct hv_page *)(void *)(machine->ram + (machine->boot->staging_pa - HV_MACHINE_RAM_PA));
}

const struct hv_hit *engine_hits(const struct engine *engine, size_t *count)
{
	*count = engine->machine->mailbox->hit_count;
	return (const struct hv_hit *)(const void *)staging_of(engine->machine);
}

static void points_arm(const struct engine *engine, const struct engine_order *order)
{
	struct points_packed armed;
	struct hv_mailbox *mailbox = engine->machine->mailbox;
	uint64_t log_room = engine->machine->boot->staging_count * sizeof(struct hv_page) / sizeof(struct hv_hit);
	points_pack(&armed, order->points);
	mailbox->debug_point_count = armed.count;
	memcpy(mailbox->debug_points, armed.at, armed.count * sizeof(armed.at[0]));
	memcpy(mailbox->conditions, armed.conditions, armed.condition_bytes);
	mailbox->hit_room = order->hit_room < log_room ? order->hit_room : log_room;
}

static struct stop run(struct engine *engine, const struct engine_order *order, struct error *error)
{
	struct hv_mailbox *mailbox = engine->machine->mailbox;
	mailbox->diverted = engine->diverted;
	mailbox->run_until_n = order->until_n;
	points_arm(engine, order);
	if (!command(engine, HV_COMMAND_RUN, order->can_be_woken, error))
		return (struct stop){STOP_FAILED, 0};
	struct stop stop = {stop_of(engine, order->until_n, error), 0};
	if (interruption_take(engine->interruption) && stop.kind != STOP_FAILED)
		stop.kind = STOP_INTERRUPTED;
	if (stop.kind == STOP_BREAKPOINT || stop.kind == STOP_WATCHPOINT)
		stop.address = mailbox->stop_address;
	return stop;
}

struct stop engine_run(struct engine *engine, const struct engine_order *order, struct error *error)
{
	if (!engine->diverted)
		return run(engine, order, error);
	error_set(error, STATUS_FAILED, "a diverted guest cannot go on as the recording did");
	return (struct stop){STOP_FAILED, 0};
}

uint64_t engine_page_set_words(const struct engine *engine)
{
	return dirty_set_words(&engine->dirty);
}

void engine_pages_written(const struct engine *engine, uint64_t *pages)
{
	dirty_get(&engine->dirty, pages);
}

uint8_t *engine_page(const struct engine *engine, uint64_t index)
{
	return engine->machine->guest_ram + index * PAGE_BYTES;
}

static void page_stage(struct hv_page *staged, const struct engine_page *page)
{
	staged->ipa = GUEST_RAM_IPA + page->index * PAGE_BYTES;
	staged->lines = page->lines;
	for (uint64_t left = page->lines; left != 0; left &= left - 1) {
		size_t at = (size_t)__builtin_ctzll(left) * LINE_BYTES;
		memcpy(&staged->bytes[at], &page->bytes[at], LINE_BYTES);
	}
}

bool engine_load(struct engine *engine, const struct guest_state *state, uint64_t next_event,
		 const struct engine_page *pages, size_t count, struct error *error)
{
	struct machine *machine = engine->machine;
	struct hv_page *staging = staging_of(machine);
	struct guest_state copy = *state;
	engine->diverted = engine->changed = false;
	ring_restart(engine, next_event);
	dirty_forget(&engine->dirty);
	do {
		size_t batch = count < machine->boot->staging_count ? count : (size_t)machine->boot->staging_count;
		for (size_t i = 0; i < batch; i++)
			page_stage(&staging[i], &pages[i]);
		machine->mailbox->page_count = batch;
		machine->mailbox->final_state = copy;
		if (!command(engine, HV_COMMAND_LOAD, false, error))
			return false;
		pages += batch;
		count -= batch;
	} while (count > 0);
	return true;
}

struct guest_state *engine_change(struct engine *engine)
{
	if (!engine->diverted)
		ring_restart(engine, engine_next_event(engine));
	engine->diverted = engine->changed = true;
	return &engine->machine->mailbox->final_state;
}

bool engine_write(struct engine *engine, uint64_t offset, const void *bytes, size_t count, struct error *error)
{
	struct machine *machine = engine->machine;
	struct hv_page *staging = staging_of(machine);
	uint64_t index = offset / PAGE_BYTES;
	engine_change(engine);
	staging->ipa = GUEST_RAM_IPA + index * PAGE_BYTES;
	staging->lines = UINT64_MAX;
	memcpy(staging->bytes, engine_page(engine, index), PAGE_BYTES);
	memcpy(staging->bytes + offset % PAGE_BYTES, bytes, count);
	dirty_set(&engine->dirty, index);
	machine->mailbox->page_count = 1;
	engine->changed = false;
	return command(engine, HV_COMMAND_LOAD, false, error);
}

struct stop engine_run_diverted(struct engine *engine, const struct engine_order *order, struct error *error)
{
	enum end_reason ended = engine_end_reason(engine);
	if (!engine->changed && (ended == END_REASON_POWER_OFF || ended == END_REASON_RESET))
		return (struct stop){STOP_END,
				     0}; /* it is off, and hv would go on behind the call that switched it off */
	engine->machine->mailbox->page_count = 0;
	if (engine->changed && !command(engine, HV_COMMAND_LOAD, false, error))
		return (struct stop){STOP_FAILED, 0};
	engine->changed = false;
	return run(engine, order, error);
}

enum end_reason engine_end_reason(const struct engine *engine)
{
	return (enum end_reason)engine->machine->mailbox->end_reason;
}

/* The keyframe to begin at; SIZE_MAX: the trace's beginning. Makes RAM that of the keyframe. */
static bool keyframe_choose(struct engine *engine, uint64_t n, size_t *keyframe, struct error *error)
{
	uint64_t start_n = trace_start_n(engine->trace);
	if (!keyframe_index_open(&engine->keyframes, engine->trace, engine->page_count, error))
		return false;
	*keyframe = keyframe_index_before(&engine->keyframes, n > start_n ? n : start_n);
	if (*keyframe == SIZE_MAX)
		return true;
	ring_restart(engine, engine->keyframes.at[*keyframe].row.next_event);
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
	trace_close(engine->trace);
	free(engine);
}
