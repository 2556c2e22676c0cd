/* Commands to hv, and its event ring, which is filled a little at a time: most runs are short. */
#include "replay/engine.h"
#include "hv/arch/pagetable.h"
#include "replay/divergence.h"
#include "replay/guest.h"

#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 10, RING_FILL_EVENTS = 1024 };

const struct guest_state *engine_state(const struct engine *engine)
{
	return &engine->machine->mailbox->final_state;
}

uint64_t engine_next_event(const struct engine *engine)
{
	return engine->first_event + machine_index_load(&engine->machine->mailbox->event_tail);
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

static void ring_restart(struct engine *engine, uint64_t next_event)
{
	struct hv_mailbox *mailbox = engine->machine->mailbox;
	engine->first_event = next_event;
	mailbox->events_ended = 0;
	machine_index_store(&mailbox->event_tail, 0);
	machine_index_store(&mailbox->event_head, 0);
}

/* Waits a little: for the doorbell, or for a reason to interrupt. */
static void machine_wait(struct engine *engine)
{
	struct machine *machine = engine->machine;
	struct pollfd fds[1 + ENGINE_WAKE_MAX] = {{.fd = machine->doorbell_fd, .events = POLLIN}};
	nfds_t wake_count = machine->mailbox->interrupt ? 0 : engine->wake_count;
	for (nfds_t i = 0; i < wake_count; i++)
		fds[1 + i] = (struct pollfd){.fd = engine->wake[i].fd, .events = POLLIN};
	poll(fds, 1 + wake_count, TICK_MS);
	machine_doorbell_take(machine);
	for (nfds_t i = 0; i < wake_count; i++) {
		if (fds[1 + i].revents != 0)
			machine->mailbox->interrupt = 1;
	}
}

/* What wants the end may come while hv is stopping by itself, so it is kept until someone is told. */
static void tick(struct engine *engine)
{
	if (engine->tick && engine->tick(engine->tick_context))
		engine->ending = true;
}

bool engine_interrupted(struct engine *engine)
{
	tick(engine);
	bool ending = engine->ending;
	engine->ending = false;
	return ending;
}

/* Sends a command and waits until hv has stopped again. */
static bool command(struct engine *engine, enum hv_command kind, struct error *error)
{
	struct machine *machine = engine->machine;
	struct machine_watch watch = {0};
	if (kind == HV_COMMAND_RUN && !ring_fill(engine, error))
		return false;
	machine->mailbox->interrupt = 0;
	__atomic_store_n(&machine->mailbox->state, (uint32_t)HV_STATE_RUNNING, __ATOMIC_SEQ_CST);
	machine_command(machine, kind);
	while (machine_state(machine) == HV_STATE_RUNNING) {
		machine_wait(engine);
		tick(engine);
		if (kind == HV_COMMAND_RUN && engine->ending)
			machine->mailbox->interrupt = 1;
		if (machine->mailbox->interrupt)
			machine_ring(machine);
		if (!ring_fill(engine, error) || !machine_running(machine, error))
			return false;
		if (machine_stuck(machine, &watch))
			return error_set(error, STATUS_FAILED, "the machine makes no progress at instruction %llu",
					 (unsigned long long)watch.n);
	}
	return true;
}

static enum engine_stop stop_of(const struct engine *engine, uint64_t until_n, struct error *error)
{
	const struct hv_mailbox *mailbox = engine->machine->mailbox;
	switch (machine_state(engine->machine)) {
	case HV_STATE_STOPPED:
		return mailbox->stop == HV_STOP_WATCHPOINT ? ENGINE_WATCHPOINT : ENGINE_BREAKPOINT;
	case HV_STATE_ENDED:
		if (mailbox->end_reason != 0)
			return ENGINE_END;
		if (mailbox->now_n >= until_n)
			return ENGINE_UNTIL;
		return mailbox->interrupt ? ENGINE_INTERRUPTED : ENGINE_END;
	case HV_STATE_DIVERGED:
		divergence_report(mailbox, engine->first_event, error);
		return ENGINE_FAILED;
	default:
		error_set(error, STATUS_FAILED, "hv failed, please report it: %.*s", HV_TEXT_BYTES, mailbox->text);
		return ENGINE_FAILED;
	}
}

enum engine_stop engine_run(struct engine *engine, uint64_t until_n, const struct hv_debug_point *points, size_t count,
			    uint64_t *address, struct error *error)
{
	struct hv_mailbox *mailbox = engine->machine->mailbox;
	mailbox->run_until_n = until_n;
	mailbox->debug_point_count = count;
	if (count > 0)
		memcpy(mailbox->debug_points, points, count * sizeof(*points));
	if (!command(engine, HV_COMMAND_RUN, error))
		return ENGINE_FAILED;
	*address = mailbox->stop_address;
	enum engine_stop stop = stop_of(engine, until_n, error);
	if (!engine->ending || stop == ENGINE_FAILED)
		return stop;
	engine->ending = false;
	return ENGINE_INTERRUPTED;
}

/* Stage 2's descriptor of a page. */
static uint64_t *leaf(const struct engine *engine, uint64_t index)
{
	return &engine->leaf_tables[index / TABLE_ENTRIES][index % TABLE_ENTRIES];
}

bool engine_page_dirty(const struct engine *engine, uint64_t index)
{
	return __atomic_load_n(leaf(engine, index), __ATOMIC_RELAXED) & S2_AP_WRITE;
}

uint8_t *engine_page(const struct engine *engine, uint64_t index)
{
	return engine->machine->guest_ram + index * PAGE_BYTES;
}

static void dirty_forget(struct engine *engine)
{
	for (uint64_t i = 0; i < engine->page_count; i++) {
		uint64_t *descriptor = leaf(engine, i);
		if (*descriptor & S2_AP_WRITE)
			*descriptor &= ~S2_AP_WRITE;
	}
}

bool engine_load(struct engine *engine, const struct guest_state *state, uint64_t next_event,
		 const struct engine_page *pages, size_t count, struct error *error)
{
	struct machine *machine = engine->machine;
	struct hv_page *staging =
		(struct hv_page *)(void *)(machine->ram + (machine->boot->staging_pa - HV_MACHINE_RAM_PA));
	struct guest_state copy = *state;
	ring_restart(engine, next_event);
	dirty_forget(engine);
	do {
		size_t batch = count < machine->boot->staging_count ? count : (size_t)machine->boot->staging_count;
		for (size_t i = 0; i < batch; i++) {
			staging[i].ipa = GUEST_RAM_IPA + pages[i].index * PAGE_BYTES;
			memcpy(staging[i].bytes, pages[i].bytes, PAGE_BYTES);
		}
		machine->mailbox->page_count = batch;
		machine->mailbox->final_state = copy;
		if (!command(engine, HV_COMMAND_LOAD, error))
			return false;
		pages += batch;
		count -= batch;
	} while (count > 0);
	return true;
}

static uint64_t *table_at(const struct engine *engine, uint64_t pa)
{
	return (uint64_t *)(void *)(engine->machine->ram + (pa - HV_MACHINE_RAM_PA));
}

/* Walks stage 2 as hv built it (hv/arch/stage2.c): its root is the first of the page tables, at level 2, or at level 1
 * if RAM ends above 16 GiB. */
static bool leaves_find(struct engine *engine, struct error *error)
{
	const struct hv_boot *boot = engine->machine->boot;
	uint64_t *root = table_at(engine, boot->tables_pa);
	bool from_level2 = GUEST_RAM_IPA + boot->guest_ram_bytes <= UINT64_C(1) << STAGE2_LEVEL2_START_IPA_BITS;
	engine->page_count = boot->guest_ram_bytes / PAGE_BYTES;
	uint64_t count = (engine->page_count + TABLE_ENTRIES - 1) / TABLE_ENTRIES;
	engine->leaf_tables = calloc(count, sizeof(*engine->leaf_tables));
	if (!engine->leaf_tables)
		return error_set(error, STATUS_FAILED, "out of memory");
	for (uint64_t i = 0; i < count; i++) {
		uint64_t ipa = GUEST_RAM_IPA + (i << BLOCK_SHIFT);
		uint64_t *level2 = root;
		if (!from_level2)
			level2 = table_at(engine, root[ipa >> GIGABYTE_SHIFT] & DESC_ADDRESS_MASK);
		uint64_t index = from_level2 ? ipa >> BLOCK_SHIFT : ipa >> BLOCK_SHIFT & (TABLE_ENTRIES - 1);
		engine->leaf_tables[i] = table_at(engine, level2[index] & DESC_ADDRESS_MASK);
	}
	return true;
}

static bool engine_start(struct engine *engine, struct error *error)
{
	struct machine_config config = {.mode = HV_MODE_REPLAY, .until_n = 0, .serve = true};
	uint64_t address;
	engine->machine = guest_restore(engine->trace, &config, error);
	config.until_n = 0;
	if (!engine->machine || !machine_start(engine->machine, &config, error))
		return false;
	if (machine_state(engine->machine) == HV_STATE_REFUSED)
		return error_set(error, STATUS_FAILED, "the machine cannot replay: %.*s", HV_TEXT_BYTES,
				 engine->machine->mailbox->text);
	return guest_fingerprint_check(engine->trace, engine->machine, error) && leaves_find(engine, error) &&
	       engine_run(engine, 0, NULL, 0, &address, error) != ENGINE_FAILED;
}

struct engine *engine_open(const char *trace, struct error *error)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	if (!engine)
		return error_set(error, STATUS_FAILED, "out of memory"), NULL;
	engine->trace = trace_open(trace, error);
	if (engine->trace)
		engine->events = events_open(engine->trace, error);
	if (engine->events && engine_start(engine, error))
		return engine;
	engine_close(engine);
	return NULL;
}

void engine_close(struct engine *engine)
{
	if (!engine)
		return;
	free(engine->leaf_tables);
	machine_destroy(engine->machine);
	events_close(engine->events);
	trace_close(engine->trace);
	free(engine);
}
