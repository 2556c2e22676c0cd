/* What the gdb stub knows of the thing that is debugged: these operations and nothing else. Who implements them is not
 * the stub's business (the replay engine; a toy machine in the tests).
 *
 * 1. A thread is a vCPU, by its index from 0. Registers are numbered as in gdb_registers.def.
 * 2. All operations are called from gdbstub_feed, gdbstub_wants_stop or gdbstub_disconnect, and, `interrupt`, `detach`
 *    and `kill` apart, only while the target stands still.
 * 3. They answer at once, but for `resume` and `monitor`, which begin something: its end is reported to the stub with
 *    gdbstub_stopped and gdbstub_monitor_done, from inside the operation or at any time later.
 * 4. An operation that fails leaves the target as it was. Addresses come from gdb: every value is possible. */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TARGET_THREAD_ANY = UINT16_MAX, /* in struct target_resume: whichever thread comes next */
	TARGET_THREAD_COUNT_MAX = 256,
	TARGET_PAGE_BYTES = 4096, /* one memory operation never crosses a boundary of this size */
	TARGET_TEXT_BYTES = 128,
};

/* A register's value; bits above its width are zero. */
struct target_value {
	uint64_t low, high;
};

/* An address of data, in one of the two spaces that gdb can ask for: virtual through the page tables of a thread (all
 * exception levels), or guest physical (`v` is an IPA). */
enum target_space { TARGET_VIRTUAL, TARGET_PHYSICAL };

struct target_address {
	enum target_space space;
	uint64_t v;
};

/* In the order of gdb's Z0 to Z4 packets. */
enum target_break_kind {
	TARGET_BREAK_SOFTWARE,
	TARGET_BREAK_HARDWARE,
	TARGET_WATCH_WRITE,
	TARGET_WATCH_READ,
	TARGET_WATCH_ACCESS,
	TARGET_BREAK_KIND_COUNT,
};

struct target_breakpoint {
	enum target_break_kind kind;
	va_t address;
	uint64_t
		bytes; /* the length of a watchpoint, at least 1 and not beyond the end of memory; 4 for a breakpoint */
};

enum target_action {
	TARGET_CONTINUE,
	TARGET_STEP,       /* one instruction of `thread` */
	TARGET_STEP_RANGE, /* at least one, then on while the pc of `thread` is in [range_start, range_end) */
};

/* Ends early at a breakpoint, a watchpoint, an end of the recording or an interrupt. A breakpoint at the place where it
 * begins does not count: gdb wants to go on from there. A watched access right there does: to pass one that was
 * reported gdb takes its watchpoints out, steps, and puts them back. */
struct target_resume {
	enum target_action action;
	bool reverse;
	bool into_interrupts; /* a step does not pass over asynchronous exceptions and their handlers */
	uint32_t thread;      /* or TARGET_THREAD_ANY */
	va_t range_start, range_end;
};

enum target_reason {
	TARGET_STOP_BREAKPOINT, /* `kind`; pc is the breakpoint's address, nothing there has executed */
	TARGET_STOP_WATCHPOINT, /* `kind` and `address`, one inside the watched range */
	TARGET_STOP_STEP,       /* a step or range ended */
	TARGET_STOP_SIGNAL,     /* `code`: a signal as gdb numbers them (2: interrupted, 4: undefined, 11: abort) */
	TARGET_STOP_REPLAYLOG_BEGIN, /* backwards, and there is nothing before this place */
	TARGET_STOP_REPLAYLOG_END,   /* forwards, and the recording ends here */
	TARGET_STOP_EXITED,          /* `code`: the exit status; gdb then drops the connection */
	TARGET_STOP_REASON_COUNT,
};

/* AArch64 reports a watchpoint before the access, in the direction of travel: forwards the position before the
 * instruction, backwards the position after it, so that gdb's one step from there makes (unmakes) the access. */
struct target_stop {
	enum target_reason reason;
	uint32_t thread;
	enum target_break_kind kind;
	va_t address;
	uint8_t code;
};

struct target_region {
	uint64_t start, bytes;
	bool writable;
};

struct target_ops {
	uint32_t (*thread_count)(void *context);   /* 1 to TARGET_THREAD_COUNT_MAX; may change while running */
	uint32_t (*thread_current)(void *context); /* less than thread_count */

	/* Optional. One line on what a thread is or does, for `info threads`; at most TARGET_TEXT_BYTES with the zero.
	 */
	void (*thread_text)(void *context, uint32_t thread, char *text);

	/* False: the target has no such register, or (writing) not this value. */
	bool (*register_read)(void *context, uint32_t thread, uint32_t number, struct target_value *value);
	bool (*register_write)(void *context, uint32_t thread, uint32_t number, const struct target_value *value);

	/* `count` is 1 to TARGET_PAGE_BYTES, within one page. False: some of it is not mapped, or is a device. Writing
	 * ignores the guest's write protection. */
	bool (*memory_read)(void *context, uint32_t thread, struct target_address address, void *bytes, size_t count);
	bool (*memory_write)(void *context, uint32_t thread, struct target_address address, const void *bytes,
			     size_t count);

	/* Each breakpoint (kind, address, length) is inserted once and removed once; conditions are the stub's
	 * (gdbstub_wants_stop). False: the target cannot. */
	bool (*breakpoint_insert)(void *context, const struct target_breakpoint *breakpoint);
	void (*breakpoint_remove)(void *context, const struct target_breakpoint *breakpoint);

	/* Begins to run; gdbstub_stopped ends it. */
	void (*resume)(void *context, const struct target_resume *resume);

	/* While the target runs, in either direction, or a monitor command does: end it soon (a running target with
	 * signal 2). Only a request: another stop may come first, and only one stop is to be reported. */
	void (*interrupt)(void *context);

	/* The client went away (detached, or its connection broke), respectively asked for the target's end (not in
	 * extended mode, where gdb's `run` is a kill and a restart). The breakpoints are removed and `interrupt` was
	 * called if the target runs. At most one of both for a client. */
	void (*detach)(void *context);
	void (*kill)(void *context);

	bool (*restart)(void *context); /* Goes to the beginning. False: it could not, and is where it was. */

	/* Optional. A line of text from `monitor`; answers with gdbstub_print, ends with gdbstub_monitor_done. */
	void (*monitor)(void *context, const char *command);

	/* Optional. One line, at most TARGET_TEXT_BYTES with the zero, on what a write has begun, which gdb could not
	 * be told when it wrote. False: there is nothing to say, or it was said. */
	bool (*notice)(void *context, char *text);

	/* Optional. Where the first segment of the program's ELF file is; the others keep their distances. False: where
	 * the file says, or not known. */
	bool (*program_va)(void *context, va_t *start);

	/* Optional. Region `index` (from 0) of gdb's memory map; false: there are no more. gdb refuses every (virtual)
	 * address outside of the map without asking. */
	bool (*memory_map)(void *context, uint32_t index, struct target_region *region);
};

/* Read and write across pages. They return how many bytes were done before the first page that failed. */
size_t target_read(const struct target_ops *ops, void *context, uint32_t thread, struct target_address address,
		   void *bytes, size_t count);
size_t target_write(const struct target_ops *ops, void *context, uint32_t thread, struct target_address address,
		    const void *bytes, size_t count);
