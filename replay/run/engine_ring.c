/* hv's event ring, which is filled a little at a time: most runs are short. */
#include "hv/host/event_console.h"
#include "hv/host/machine.h"
#include "replay/run/engine_state.h"
#include "replay/run/supply.h"

enum { RING_FILL_EVENTS = 1024, CONSOLE_EVENTS = 256 };

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
static bool ring_drain(struct engine *engine, struct error *error)
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
		if (!supply_take(engine->supply, machine, &machine->events[slot], count, engine->first_event, error))
			return false;
		machine_index_store(&machine->mailbox->event_tail, tail + count);
	}
	machine_ring_if_waiting(machine);
	return true;
}

bool engine_ring_serve(struct engine *engine, struct error *error)
{
	bool diverted = engine->diverted;
	if (!(diverted ? ring_drain(engine, error) : ring_fill(engine, error)))
		return false;
	uint64_t passed = diverted ? 0 : machine_index_load(&engine->machine->mailbox->event_tail);
	return supply_answer(engine->supply, engine->machine, engine->first_event + passed, diverted, error);
}

void engine_ring_restart(struct engine *engine, uint64_t next_event)
{
	struct hv_mailbox *mailbox = engine->machine->mailbox;
	engine->first_event = next_event;
	mailbox->events_ended = 0;
	machine_index_store(&mailbox->event_tail, 0);
	machine_index_store(&mailbox->event_head, 0);
}
