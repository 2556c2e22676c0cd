/* What ended a run, a search or a step: one list for the engine, the timeline and what gdb gets reported. Each of them
 * answers with some of these, and says at its declaration with which. */
#pragma once
#include <stdint.h>

enum stop_kind {
	STOP_NONE,        /* nothing did: it came as far as it was to go, or there is more to be done */
	STOP_BREAKPOINT,  /* before the instruction at `address` */
	STOP_WATCHPOINT,  /* before the access to `address`; a search back: right after it */
	STOP_STEPPED,     /* one step is done */
	STOP_BEGIN,       /* the trace's start */
	STOP_END,         /* the trace's end; in a diversion, the guest's own */
	STOP_INTERRUPTED, /* somebody wanted the end */
	STOP_NO_ROOM,     /* nothing ran: a diversion has more points than the CPU */
	STOP_FAILED       /* error set */
};

struct stop {
	enum stop_kind kind;
	uint64_t address; /* of the breakpoint; of the access, in the watched range; otherwise 0 */
};
