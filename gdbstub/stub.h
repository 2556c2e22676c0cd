/* What the files of the stub share: its state, and how a packet is answered. Not for users of the stub. */
#pragma once
#include "gdbstub/frame.h"
#include "gdbstub/gdb_breakpoints.h"
#include "gdbstub/gdbstub.h"

enum stub_state {
	STUB_STOPPED,
	STUB_RUNNING,    /* the client waits for a stop */
	STUB_MONITOR,    /* the client waits for the end of a monitor command */
	STUB_ENDING_RUN, /* the client left while the target ran: nobody waits */
	STUB_ENDING_MONITOR,
};

/* How a step is made, as QEMU's qqemu.sstepbits has it: at all, without interrupts, without timers. Only the second
 * makes a difference here, where time is the recording's. */
enum { STUB_STEP_ENABLE = 1, STUB_STEP_NOIRQ = 2, STUB_STEP_NOTIMER = 4, STUB_STEP_ALL = 7 };

struct gdbstub {
	const struct target_ops *ops;
	void *context;
	enum stub_state state;
	struct target_stop stop; /* the last */
	struct gdb_breakpoints breakpoints;

	/* of one client */
	bool is_attached; /* neither detached nor killed */
	bool is_leaving;
	bool is_interrupted; /* it asked for a stop while the target stood still: the next resume stops at once */
	bool is_extended;    /* target extended-remote: a kill is followed by R, or by a disconnect */
	bool no_ack;
	bool knows_swbreak, knows_hwbreak; /* its qSupported */
	bool physical;
	uint32_t single_step;   /* how steps are made: QEMU's bits (packet_resume.c) */
	uint32_t thread;        /* of g, m and so on: Hg, or where the last stop was */
	uint32_t thread_resume; /* of s, bs and so on: Hc; or TARGET_THREAD_ANY */
	struct frame frame;
	struct text reply;   /* of the packet in hand */
	struct text scratch; /* bytes on their way into a reply, or out of a packet */
	struct text last;    /* the last packet sent, to be sent again on request, while acknowledgements are in use */
	struct text output;
	struct text held;    /* what a monitor command printed last: the reply to one that is refused */
	bool is_in_progress; /* the line that gdb shows is one of gdbstub_progress */
	bool is_refused;     /* the last monitor command */
	bool is_moved;       /* it led to another place */
};

/* Sends a packet: the one place. */
void stub_send(struct gdbstub *stub, const struct text *payload);

/* Begins to run. */
void stub_resume(struct gdbstub *stub, const struct target_resume *resume);

/* Removes the breakpoints and interrupts what is under way, for a client that leaves. */
void stub_release(struct gdbstub *stub);
