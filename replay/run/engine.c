/* Commands to hv, and what they leave behind. */
#include "replay/run/engine.h"
#include "hv/abi/descriptor.h"
#include "hv/host/machine.h"
#include "hv/host/session.h"
#include "hv/host/state_hash.h"
#include "replay/run/divergence.h"
#include "replay/run/engine_state.h"
#include "replay/run/supply.h"

#include <string.h>

enum { TICK_MS = 10, LINE_BYTES = 64 };

struct trace_reader *engine_trace(const struct engine *engine)
{
	return engine->trace;
}

struct events *engine_events(const struct engine *engine)
{
	return engine->events;
}

const struct virtio_list *engine_devices(const struct engine *engine)
{
	return &engine->devices;
}

const struct keyframe_index *engine_keyframes(const struct engine *engine)
{
	return &engine->keyframes;
}

const struct guest_state *engine_start_state(const struct engine *engine, uint64_t *next_event)
{
	*next_event = engine->start_next_event;
	return engine->start_state;
}

const struct guest_state *engine_state(const struct engine *engine)
{
	return &engine->machine->mailbox->final_state;
}

uint64_t engine_next_event(const struct engine *engine)
{
	uint64_t passed = engine->diverted ? 0 : machine_index_load(&engine->machine->mailbox->event_tail);
	return engine->first_event + passed;
}

/* Waits a little: for the doorbell, or for a reason to interrupt a run. */
static void machine_wait(const struct engine *engine, bool can_be_woken)
{
	struct machine *machine = engine->machine;
	struct pollfd fds[1 + INTERRUPTION_WAKE_MAX] = {{.fd = machine->doorbell_fd, .events = POLLIN}};
	bool asleep = !can_be_woken || machine->mailbox->interrupt;
	nfds_t wake_count = asleep ? 0 : interruption_wake(engine->interruption, &fds[1]);
	poll(fds, 1 + wake_count, machine_asks(machine) ? 0 : TICK_MS);
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
	if (kind == HV_COMMAND_RUN && !engine_ring_serve(engine, error))
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
		if (!engine_ring_serve(engine, error) || !machine_running(machine, error))
			return false;
		if (machine_is_deaf(asked_ns, session_now_ns()))
			return error_set(error, STATUS_FAILED, "the machine does not stop");
		if (machine_stuck(machine, &watch))
			return error_set(error, STATUS_FAILED, "the machine makes no progress at instruction %llu",
					 (unsigned long long)watch.n);
	}
	return !engine->diverted || engine_ring_serve(engine, error);
}

static enum stop_kind stop_of(const struct engine *engine, struct error *error)
{
	static const enum stop_kind kinds[] = {
		[HV_STOP_UNTIL] = STOP_NONE,
		[HV_STOP_END] = STOP_END,
		[HV_STOP_BREAKPOINT] = STOP_BREAKPOINT,
		[HV_STOP_WATCHPOINT] = STOP_WATCHPOINT,
		[HV_STOP_INTERRUPTED] = STOP_INTERRUPTED,
	};
	const struct hv_mailbox *mailbox = engine->machine->mailbox;
	uint32_t stop = mailbox->stop; /* once: the machine may write there */
	switch (machine_state(engine->machine)) {
	case HV_STATE_STOPPED:
	case HV_STATE_ENDED:
		if (stop < sizeof(kinds) / sizeof(kinds[0]))
			return kinds[stop];
		error_set(error, STATUS_FAILED, "the machine stopped for a reason that there is none of, %u", stop);
		return STOP_FAILED;
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
	struct stop stop = {stop_of(engine, error), 0};
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

uint64_t engine_running_n(const struct engine *engine)
{
	return engine->machine->mailbox->now_n;
}

uint64_t engine_page_count(const struct engine *engine)
{
	return engine->page_count;
}

bool engine_memory_hash(const struct engine *engine, char *hash, struct error *error)
{
	return state_hash(engine->machine, NULL, hash, error);
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

const uint8_t *engine_flash(const struct engine *engine, uint64_t *bytes)
{
	*bytes = engine->machine->boot->flash_bytes;
	return engine->machine->guest_flash;
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
	supply_forget(engine->supply);
	engine_ring_restart(engine, next_event);
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
		engine_ring_restart(engine, engine_next_event(engine));
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
				     0}; /* it is off, and hv would go on after the call that switched it off */
	engine->machine->mailbox->page_count = 0;
	if (engine->changed && !command(engine, HV_COMMAND_LOAD, false, error))
		return (struct stop){STOP_FAILED, 0};
	engine->changed = false;
	return run(engine, order, error);
}

bool engine_is_diverted(const struct engine *engine)
{
	return engine->diverted;
}

void engine_listen(struct engine *engine, void (*console)(void *context, const uint8_t *bytes, size_t count),
		   void *context)
{
	engine->console = console;
	engine->console_context = context;
}

const char *engine_end_text(const struct engine *engine)
{
	return engine->machine->mailbox->text;
}

enum end_reason engine_end_reason(const struct engine *engine)
{
	return (enum end_reason)engine->machine->mailbox->end_reason;
}
