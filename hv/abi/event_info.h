/* What event.def says of a kind, for code that treats kinds alike by what their fields hold. A new kind whose fields
 * are of types that are here already needs no other code to be read, printed, counted, compared and filtered. */
#pragma once
#include "hv/abi/event.h"

/* What struct event's `address` is. */
enum event_address {
	EVENT_ADDRESS_NONE,     /* only of kinds that do not exist */
	EVENT_ADDRESS_IPA,      /* guest physical address of a device's register, or of nothing */
	EVENT_ADDRESS_SYSREG,   /* SYSREG_KEY of a system register; above 16 bits the syndrome of an AArch32 access */
	EVENT_ADDRESS_FUNCTION, /* of the SMC Calling Convention */
	EVENT_ADDRESS_ESR,      /* syndrome of a debug exception */
	EVENT_ADDRESS_EXIT_REASON, /* enum exit_reason */
	EVENT_ADDRESS_END_REASON,  /* enum end_reason */
	EVENT_ADDRESS_DEADLINE_NS, /* guest time of the next timer interrupt; UINT64_MAX: none is due */
	EVENT_ADDRESS_INTID,       /* interrupt number */
	EVENT_ADDRESS_VCPU,        /* the vCPU that goes on; the event's own vCPU is the one that leaves */
	EVENT_ADDRESS_SECTOR,      /* event_sector: a disk's transport, and its first sector of 512 bytes */
	EVENT_ADDRESS_TRANSPORT,   /* number of a virtio transport */
};

/* What its `value` is. */
enum event_value {
	EVENT_VALUE_NONE,          /* only of kinds that do not exist */
	EVENT_VALUE_READ,          /* what the guest read at the address */
	EVENT_VALUE_WRITTEN,       /* what it wrote there */
	EVENT_VALUE_IS_READ,       /* 1: it wanted to read; 0: to write */
	EVENT_VALUE_ABORT_ESR,     /* syndrome of the abort that it takes */
	EVENT_VALUE_RESULT,        /* what a call gave */
	EVENT_VALUE_FAR,           /* virtual address that a watchpoint hit; 0: none */
	EVENT_VALUE_CHECK,         /* 32 bits of the rolling hash over all registers */
	EVENT_VALUE_JUMP_NS,       /* by so much guest time goes on without an instruction */
	EVENT_VALUE_BYTE,          /* one byte */
	EVENT_VALUE_PRIORITY,      /* of an interrupt */
	EVENT_VALUE_SWITCH_REASON, /* enum switch_reason */
	EVENT_VALUE_DATA,          /* event_data_field: how many bytes, and 32 bits of a hash over them */
	EVENT_VALUE_LENGTH,        /* how many bytes */
	EVENT_VALUE_REQUEST,       /* type of a disk's request (VIRTIO 1.2, 5.2.6) */
};

struct event_info {
	const char *name; /* "MMIO_READ"; NULL: there is no such kind */
	const char *text; /* "device read" */
	enum event_class class;
	enum event_address address;
	enum event_value value;
};

/* The kind's row; for a kind that does not exist one without a name, of EVENT_CLASS_UNKNOWN. Static. */
static inline const struct event_info *event_info(uint32_t kind)
{
	static const struct event_info rows[EVENT_KIND_MAX + 1] = {
		[0] = {.class = EVENT_CLASS_UNKNOWN},
#define EVENT(id, name, class, address, value, text)                                                                   \
	[id] = {#name, text, EVENT_CLASS_##class, EVENT_ADDRESS_##address, EVENT_VALUE_##value},
#include "hv/abi/event.def"
#undef EVENT
	};
	return &rows[kind <= EVENT_KIND_MAX ? kind : 0];
}
