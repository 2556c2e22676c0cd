/* The event: what crosses between the guest and the world, as hv writes it into the ring and as the trace keeps it.
 * One list (event.def) names every kind. Fixed width, little-endian, no padding that is not named. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum event_kind {
#define EVENT(id, name, class, address, value, text) EVENT_##name = (id),
#include "hv/abi/event.def"
#undef EVENT
};

enum { EVENT_KIND_MAX = 13 };

enum event_class { EVENT_CLASS_TRAP, EVENT_CLASS_STOP, EVENT_CLASS_NOTE };

/* Why an asynchronous exit (EVENT_EXIT.address) was taken. The guest cannot see it; it is kept for people. */
enum exit_reason {
	EXIT_REASON_VTIMER = 1,      /* the virtual timer's interrupt */
	EXIT_REASON_ALARM = 2,       /* the instruction alarm: physical timer deadline, instruction limit */
	EXIT_REASON_HOST = 3,        /* the host's doorbell: input, a request to stop */
	EXIT_REASON_MAINTENANCE = 4, /* the virtual GIC's maintenance interrupt */
	EXIT_REASON_SPURIOUS = 5,    /* an interrupt that was gone before it was acknowledged */
};

/* Why a recording ended (EVENT_END.address). */
enum end_reason {
	END_REASON_POWER_OFF = 1,   /* PSCI SYSTEM_OFF */
	END_REASON_RESET = 2,       /* PSCI SYSTEM_RESET: a recording does not reboot */
	END_REASON_HOST = 3,        /* the user or the host asked for it */
	END_REASON_LIMIT = 4,       /* --max-instructions */
	END_REASON_UNSUPPORTED = 5, /* the guest did what hv does not support; the mailbox text says what */
	END_REASON_HANG = 6,        /* WFI with nothing that could ever wake the guest, and no input to come */
	/* At a vector the guest takes the same exception for ever. Other places may share its position: a replay goes
	 * on from the first of them. */
	END_REASON_EXCEPTION_LOOP = 7,
	END_REASON_VECTOR_LOOP = 8, /* at a vector, interrupts masked, it executes the same instruction for ever */
};

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
