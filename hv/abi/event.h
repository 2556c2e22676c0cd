/* The event: what crosses between the guest and the world, as hv writes it into the ring and as the trace keeps it.
 * One list (event.def) names every kind. Fixed width, little-endian, no padding that is not named. */
#pragma once
#include "hv/abi/reason.h"
#include <stdbool.h>
#include <stdint.h>

enum event_kind {
#define EVENT(id, name, class, address, value, text) EVENT_##name = (id),
#include "hv/abi/event.def"
#undef EVENT
};

enum {
	EVENT_KIND_MAX = 0 /* kinds are numbered from 1 on without gaps */
#define EVENT(id, name, class, address, value, text) +1
#include "hv/abi/event.def"
#undef EVENT
};

enum event_class { EVENT_CLASS_TRAP, EVENT_CLASS_STOP, EVENT_CLASS_NOTE, EVENT_CLASS_UNKNOWN };

/* One event. `n` is the number of instructions that the guest had retired before the event took effect; for a TRAP it
 * is the position of the trapping instruction itself. `pc` is the guest's pc at that position. */
struct event {
	uint64_t n;       /* instructions, over all vCPUs */
	uint64_t pc;      /* guest virtual address */
	uint64_t address; /* by kind, see event.def */
	uint64_t value;   /* by kind, see event.def */
	uint16_t kind;    /* enum event_kind */
	uint8_t vcpu;     /* index */
	uint8_t size;     /* bytes of an MMIO access; 0 for other kinds */
	uint32_t zero;    /* always 0 */
};
_Static_assert(sizeof(struct event) == 40, "struct event is part of the ring's layout");

/* The fields of a device's event: where it is, and what it moved. */
static inline uint64_t event_sector_field(uint32_t transport, uint64_t sector)
{
	return (uint64_t)transport << 56 | (sector & (UINT64_MAX >> 8));
}

static inline uint32_t event_disk(const struct event *event)
{
	return (uint32_t)(event->address >> 56);
}

static inline uint64_t event_sector(const struct event *event)
{
	return event->address & (UINT64_MAX >> 8);
}

static inline uint64_t event_data_field(uint32_t bytes, uint32_t check)
{
	return (uint64_t)bytes << 32 | check;
}

static inline uint32_t event_data_bytes(const struct event *event)
{
	return (uint32_t)(event->value >> 32);
}

/* By how much guest time goes on in the event itself, ns: guest time is n and the sum of these before it. */
static inline uint64_t event_idle_ns(const struct event *event)
{
	return event->kind == EVENT_IDLE ? event->value : 0;
}
