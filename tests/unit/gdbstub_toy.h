/* A toy target for the gdb stub: one page of physical memory seen at two virtual pages, two vCPUs of which the first
 * runs a few real AArch64 instructions, and a history so that it also runs backwards. Everything that struct target_ops
 * promises is promised here, in the simplest way. Used by the stub's unit tests and its fuzzer. */
#pragma once
#include "gdbstub/gdb_registers.h"
#include "gdbstub/gdbstub.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOY_VA UINT64_C(0x40080000)

enum {
	TOY_RAM_BYTES = 2 * TARGET_PAGE_BYTES, /* at TOY_VA, and physically at 0 */
	TOY_DATA = 0x800,                      /* the counter that the program writes, from TOY_VA */
	TOY_LOOP = 0x0c,                       /* add, str (TOY_LOOP + 4), ldr (+ 8), nop (+ 12), b */
	TOY_LOOP_INSNS = 5,
	TOY_PROLOGUE_INSNS = 3,
	TOY_THREAD_COUNT = 2,
	TOY_BREAK_COUNT = 32,
};

struct toy_insn {
	uint32_t reg;   /* that it writes; GDB_REGISTER_COUNT: none */
	uint64_t value; /* that it writes to it */
	uint64_t next;  /* pc */
	bool is_load, is_store;
	uint64_t address, data; /* of 8 bytes */
};

/* What one instruction overwrote. */
struct toy_history {
	struct toy_insn insn;
	uint64_t pc, reg_before, data_before;
};

struct toy {
	struct gdbstub *stub;
	struct target_value regs[TOY_THREAD_COUNT][GDB_REGISTER_COUNT];
	uint8_t ram[TOY_RAM_BYTES];
	uint64_t n, n_max;
	struct toy_history *history; /* n_max */
	struct target_breakpoint breaks[TOY_BREAK_COUNT];
	size_t break_count;
	struct target_resume resume;
	bool is_running, is_interrupted, is_monitoring;
	bool can_restart;
	uint32_t detach_count, kill_count, restart_count, want_count, resume_count;
};

static inline uint64_t toy_load(const struct toy *toy, uint64_t offset)
{
	uint64_t value = 0;

	for (size_t i = 8; i-- > 0;)
		value = value << 8 | toy->ram[offset + i];
	return value;
}

static inline void toy_store(struct toy *toy, uint64_t offset, uint64_t value)
{
	for (size_t i = 0; i < 8; i++)
		toy->ram[offset + i] = (uint8_t)(value >> 8 * i);
}

static inline uint32_t toy_thread_count(void *context)
{
	(void)context;
	return TOY_THREAD_COUNT;
}

static inline uint32_t toy_thread_current(void *context)
{
	(void)context;
	return 0;
}

static inline void toy_thread_text(void *context, uint32_t thread, char *text)
{
	(void)context;
	snprintf(text, TARGET_TEXT_BYTES, "EL1 <%s>", thread == 0 ? "runs" : "off");
}

/* PMSELR_EL0 stands for a register that a target does not have. */
static inline bool toy_register_read(void *context, uint32_t thread, uint32_t number, struct target_value *value)
{
	struct toy *toy = context;

	if (number == GDB_REG_pmselr_el0)
		return false;
	*value = toy->regs[thread][number];
	return true;
}

static inline bool toy_register_write(void *context, uint32_t thread, uint32_t number, const struct target_value *value)
{
	struct toy *toy = context;

	if (number == GDB_REG_pmselr_el0)
		return false;
	toy->regs[thread][number] = *value;
	return true;
}

/* The offset in RAM, or SIZE_MAX. */
static inline size_t toy_offset(struct target_address address, size_t count)
{
	const uint64_t base = address.space == TARGET_PHYSICAL ? 0 : TOY_VA;

	if (count == 0 || address.v % TARGET_PAGE_BYTES + count > TARGET_PAGE_BYTES)
		abort(); /* the stub's promise */
	return address.v - base < TOY_RAM_BYTES ? (size_t)(address.v - base) : SIZE_MAX;
}

static inline bool toy_memory_read(void *context, uint32_t thread, struct target_address address, void *bytes,
				   size_t count)
{
	struct toy *toy = context;
	const size_t offset = toy_offset(address, count);

	(void)thread;
	if (offset == SIZE_MAX)
		return false;
	memcpy(bytes, toy->ram + offset, count);
	return true;
}

static inline bool toy_memory_write(void *context, uint32_t thread, struct target_address address, const void *bytes,
				    size_t count)
{
	struct toy *toy = context;
	const size_t offset = toy_offset(address, count);

	(void)thread;
	if (offset == SIZE_MAX)
		return false;
	memcpy(toy->ram + offset, bytes, count);
	return true;
}

static inline bool toy_breakpoint_insert(void *context, const struct target_breakpoint *breakpoint)
{
	struct toy *toy = context;

	if (toy->break_count == TOY_BREAK_COUNT)
		return false;
	toy->breaks[toy->break_count++] = *breakpoint;
	return true;
}

static inline void toy_breakpoint_remove(void *context, const struct target_breakpoint *breakpoint)
{
	struct toy *toy = context;

	for (size_t i = 0; i < toy->break_count; i++) {
		const struct target_breakpoint *at = &toy->breaks[i];

		if (at->kind == breakpoint->kind && at->address.v == breakpoint->address.v &&
		    at->bytes == breakpoint->bytes) {
			toy->breaks[i] = toy->breaks[--toy->break_count];
			return;
		}
	}
	abort(); /* the stub removes what it inserted, once */
}

static inline void toy_resume(void *context, const struct target_resume *resume)
{
	struct toy *toy = context;

	if (toy->is_running)
		abort();
	toy->is_running = true;
	toy->is_interrupted = false;
	toy->resume_count++;
	toy->resume = *resume;
}

static inline void toy_interrupt(void *context)
{
	struct toy *toy = context;

	toy->is_interrupted = true;
}

static inline void toy_detach(void *context)
{
	struct toy *toy = context;

	toy->detach_count++;
}

static inline void toy_kill(void *context)
{
	struct toy *toy = context;

	toy->kill_count++;
}

static inline uint32_t toy_word(const struct toy *toy, uint64_t pc)
{
	const uint64_t offset = pc - TOY_VA;

	if (offset >= TOY_RAM_BYTES || pc % 4 != 0)
		return 0;
	return (uint32_t)(toy_load(toy, offset & ~UINT64_C(7)) >> (offset % 8 ? 32 : 0));
}

/* False: undefined, or an access that is not mapped and aligned. */
static inline bool toy_decode(const struct toy *toy, struct toy_insn *insn)
{
	const struct target_value *regs = toy->regs[0];
	const uint64_t pc = regs[GDB_REG_pc].low;
	const uint32_t word = toy_word(toy, pc), rd = word & 31, rn = word >> 5 & 31;

	*insn = (struct toy_insn){.reg = GDB_REGISTER_COUNT, .next = pc + 4};
	if ((word & 0xff800000) == 0xd2800000 && rd < 31) { /* movz */
		insn->reg = rd;
		insn->value = (uint64_t)(word >> 5 & 0xffff) << 16 * (word >> 21 & 3);
	} else if ((word & 0xffc00000) == 0x91000000) { /* add */
		insn->reg = rd;
		insn->value = regs[rn].low + (word >> 10 & 0xfff);
	} else if ((word & 0xff800000) == 0xf9000000) { /* str, ldr */
		insn->is_load = word >> 22 & 1;
		insn->is_store = !insn->is_load;
		insn->address = regs[rn].low + 8 * (uint64_t)(word >> 10 & 0xfff);
		if (insn->address - TOY_VA >= TOY_RAM_BYTES || insn->address % 8 != 0)
			return false;
		insn->data = rd < 31 ? regs[rd].low : 0;
		if (insn->is_load && rd < 31) {
			insn->reg = rd;
			insn->value = toy_load(toy, insn->address - TOY_VA);
		}
	} else if ((word & 0xfc000000) == 0x14000000) { /* b */
		insn->next = pc + 4 * (((uint64_t)(word & 0x3ffffff) ^ 0x2000000) - 0x2000000);
	} else if (word != 0xd503201f) { /* nop */
		return false;
	}
	return true;
}

static inline void toy_execute(struct toy *toy, const struct toy_insn *insn)
{
	struct target_value *regs = toy->regs[0];
	struct toy_history *history = &toy->history[toy->n++];

	history->insn = *insn;
	history->pc = regs[GDB_REG_pc].low;
	if (insn->reg < GDB_REGISTER_COUNT) {
		history->reg_before = regs[insn->reg].low;
		regs[insn->reg].low = insn->value;
	}
	if (insn->is_store) {
		history->data_before = toy_load(toy, insn->address - TOY_VA);
		toy_store(toy, insn->address - TOY_VA, insn->data);
	}
	regs[GDB_REG_pc].low = insn->next;
}

static inline void toy_unexecute(struct toy *toy)
{
	struct target_value *regs = toy->regs[0];
	const struct toy_history *history = &toy->history[--toy->n];

	if (history->insn.is_store)
		toy_store(toy, history->insn.address - TOY_VA, history->data_before);
	if (history->insn.reg < GDB_REGISTER_COUNT)
		regs[history->insn.reg].low = history->reg_before;
	regs[GDB_REG_pc].low = history->pc;
}

static inline bool toy_goto(struct toy *toy, uint64_t n)
{
	struct toy_insn insn;

	while (toy->n > n)
		toy_unexecute(toy);
	while (toy->n < n && toy->n < toy->n_max && toy_decode(toy, &insn))
		toy_execute(toy, &insn);
	return toy->n == n;
}

static inline bool toy_restart(void *context)
{
	struct toy *toy = context;

	toy->restart_count++;
	return toy->can_restart && toy_goto(toy, 0);
}

static inline void toy_stop(struct toy *toy, const struct target_stop *stop)
{
	toy->is_running = false;
	gdbstub_stopped(toy->stub, stop);
}

/* Whether a breakpoint of the target is hit at pc and wanted, or a watchpoint by `insn`. */
static inline bool toy_hits(struct toy *toy, const struct toy_insn *insn, struct target_stop *stop)
{
	for (size_t i = 0; i < toy->break_count; i++) {
		const struct target_breakpoint *at = &toy->breaks[i];
		const bool is_watch = at->kind >= TARGET_WATCH_WRITE;
		const bool is_kind = insn && ((insn->is_store && at->kind != TARGET_WATCH_READ) ||
					      (insn->is_load && at->kind != TARGET_WATCH_WRITE));

		stop->kind = at->kind;
		stop->address = at->address;
		if (is_watch) {
			stop->reason = TARGET_STOP_WATCHPOINT;
			if (!is_kind || at->address.v >= insn->address + 8 ||
			    insn->address >= at->address.v + at->bytes)
				continue;
			if (insn->address > at->address.v)
				stop->address.v = insn->address;
		} else {
			stop->reason = TARGET_STOP_BREAKPOINT;
			if (insn || at->address.v != toy->regs[0][GDB_REG_pc].low)
				continue;
		}
		toy->want_count++;
		if (gdbstub_wants_stop(toy->stub, stop))
			return true;
	}
	return false;
}

/* One instruction of either direction. False: stopped, with *stop. */
static inline bool toy_forward(struct toy *toy, struct target_stop *stop)
{
	struct toy_insn insn;
	const struct target_resume *how = &toy->resume;
	const uint64_t *pc = &toy->regs[0][GDB_REG_pc].low;

	*stop = (struct target_stop){.reason = TARGET_STOP_REPLAYLOG_END};
	if (toy->n == toy->n_max)
		return false;
	*stop = (struct target_stop){.reason = TARGET_STOP_SIGNAL, .code = 4};
	if (!toy_decode(toy, &insn))
		return false;
	*stop = (struct target_stop){0};
	if (toy_hits(toy, &insn, stop))
		return false;
	toy_execute(toy, &insn);
	*stop = (struct target_stop){0};
	if (toy_hits(toy, NULL, stop))
		return false;
	*stop = (struct target_stop){.reason = TARGET_STOP_STEP};
	return how->action == TARGET_CONTINUE ||
	       (how->action == TARGET_STEP_RANGE && *pc - how->range_start.v < how->range_end.v - how->range_start.v);
}

static inline bool toy_backward(struct toy *toy, struct target_stop *stop)
{
	*stop = (struct target_stop){.reason = TARGET_STOP_REPLAYLOG_BEGIN};
	if (toy->n == 0)
		return false;
	*stop = (struct target_stop){0};
	if (toy_hits(toy, &toy->history[toy->n - 1].insn, stop))
		return false;
	toy_unexecute(toy);
	*stop = (struct target_stop){0};
	if (toy_hits(toy, NULL, stop))
		return false;
	*stop = (struct target_stop){.reason = TARGET_STOP_STEP};
	return toy->resume.action == TARGET_CONTINUE;
}

/* Goes on with what was begun, for at most `budget` instructions. */
static inline void toy_run(struct toy *toy, uint32_t budget)
{
	const struct target_stop interrupted = {.reason = TARGET_STOP_SIGNAL, .code = 2};
	struct target_stop stop;

	if (toy->is_monitoring) {
		toy->is_monitoring = false;
		gdbstub_print(toy->stub, "done\n", 5);
		gdbstub_monitor_done(toy->stub, true);
	}
	for (uint32_t i = 0; toy->is_running && i < budget; i++) {
		if (toy->is_interrupted)
			toy_stop(toy, &interrupted);
		else if (!(toy->resume.reverse ? toy_backward(toy, &stop) : toy_forward(toy, &stop)))
			toy_stop(toy, &stop);
	}
}

/* "fail", "later" (done in toy_run), "seek N" and anything else, which is echoed with the position. */
static inline void toy_monitor(void *context, const char *command)
{
	struct toy *toy = context;
	char text[256];

	if (strcmp(command, "later") == 0) {
		toy->is_monitoring = true;
		return;
	}
	if (strncmp(command, "seek ", 5) == 0) {
		toy_goto(toy, strtoull(command + 5, NULL, 10));
		gdbstub_stopped(toy->stub, &(struct target_stop){.reason = TARGET_STOP_STEP});
	}
	snprintf(text, sizeof text, "%.100s at %llu\n", command, (unsigned long long)toy->n);
	gdbstub_print(toy->stub, text, strlen(text));
	gdbstub_monitor_done(toy->stub, strcmp(command, "fail") != 0);
}

static inline bool toy_program_va(void *context, va_t *start)
{
	(void)context;
	start->v = 0x1000;
	return true;
}

static inline bool toy_memory_map(void *context, uint32_t index, struct target_region *region)
{
	(void)context;
	*region = (struct target_region){.start = TOY_VA, .bytes = TOY_RAM_BYTES, .writable = true};
	return index == 0;
}

static const struct target_ops toy_ops = {
	.thread_count = toy_thread_count,
	.thread_current = toy_thread_current,
	.thread_text = toy_thread_text,
	.register_read = toy_register_read,
	.register_write = toy_register_write,
	.memory_read = toy_memory_read,
	.memory_write = toy_memory_write,
	.breakpoint_insert = toy_breakpoint_insert,
	.breakpoint_remove = toy_breakpoint_remove,
	.resume = toy_resume,
	.interrupt = toy_interrupt,
	.detach = toy_detach,
	.kill = toy_kill,
	.restart = toy_restart,
	.monitor = toy_monitor,
	.program_va = toy_program_va,
	.memory_map = toy_memory_map,
};

/* Program, data and registers as at the beginning, whatever was written. Only while it stands still. */
static inline void toy_reset(struct toy *toy)
{
	static const uint32_t program[] = {
		0xd2800000,                         /*     movz x0, #0 */
		0xd2a80101,                         /*     movz x1, #0x4008, lsl #16 */
		0x91200021,                         /*     add x1, x1, #TOY_DATA */
		0x91000400,                         /* 1:  add x0, x0, #1 */
		0xf9000020, 0xf9400022, 0xd503201f, /*     str x0, [x1]; ldr x2, [x1]; nop */
		0x17fffffc,                         /*     b 1b */
	};

	memset(toy->ram, 0, sizeof toy->ram);
	for (size_t i = 0; i < sizeof program / sizeof program[0]; i += 2)
		toy_store(toy, 4 * i, program[i] | (uint64_t)program[i + 1] << 32);
	toy->n = 0;
	for (uint32_t thread = 0; thread < TOY_THREAD_COUNT; thread++) {
		for (uint32_t i = 0; i < GDB_REGISTER_COUNT; i++)
			toy->regs[thread][i] =
				(struct target_value){.low = gdb_registers_bytes(i) == 4 ? 0 : i * 0x101};
		toy->regs[thread][GDB_REG_pc].low = TOY_VA;
		toy->regs[thread][GDB_REG_sp].low = TOY_VA + TOY_RAM_BYTES;
		toy->regs[thread][GDB_REG_cpsr].low = 0x3c5; /* EL1h, all masked */
		toy->regs[thread][GDB_REG_v0].high = UINT64_C(0x0123456789abcdef);
	}
}

/* A toy at its beginning, with a recording of `n_max` instructions, and a client. */
static inline void toy_open(struct toy *toy, const struct target_ops *ops, uint64_t n_max)
{
	memset(toy, 0, sizeof *toy);
	toy->n_max = n_max;
	toy->history = calloc(n_max, sizeof *toy->history);
	toy->can_restart = true;
	toy_reset(toy);
	toy->stub = gdbstub_new(ops, toy);
	if (!toy->stub || !toy->history)
		abort();
	gdbstub_connect(toy->stub);
}

static inline void toy_close(struct toy *toy)
{
	gdbstub_free(toy->stub);
	free(toy->history);
}
