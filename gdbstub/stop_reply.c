/* One table of reasons. */
#include "gdbstub/stop_reply.h"
#include "gdbstub/gdb_registers.h"

enum { SIGNAL_TRAP = 5 };

static const char *const watch_names[TARGET_BREAK_KIND_COUNT] = {
	[TARGET_WATCH_WRITE] = "watch",
	[TARGET_WATCH_READ] = "rwatch",
	[TARGET_WATCH_ACCESS] = "awatch",
};

static void put_register(struct gdbstub *stub, struct text *reply, uint32_t number)
{
	struct target_value value;
	uint8_t bytes[8];

	if (!stub->ops->register_read(stub->context, stub->stop.thread, number, &value))
		return;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(value.low >> 8 * i);
	text_format(reply, "%x:", number);
	text_hex(reply, bytes, sizeof bytes);
	text_byte(reply, ';');
}

/* gdb wants breakpoints reported as such only if it said that it knows them. */
static void put_breakpoint(const struct gdbstub *stub, struct text *reply)
{
	if (stub->stop.kind == TARGET_BREAK_SOFTWARE && stub->knows_swbreak)
		text_format(reply, "swbreak:;");
	if (stub->stop.kind == TARGET_BREAK_HARDWARE && stub->knows_hwbreak)
		text_format(reply, "hwbreak:;");
}

static void put_watchpoint(const struct gdbstub *stub, struct text *reply)
{
	const char *name = stub->stop.kind < TARGET_BREAK_KIND_COUNT ? watch_names[stub->stop.kind] : NULL;

	if (name)
		text_format(reply, "%s:%llx;", name, (unsigned long long)stub->stop.address.v);
}

static void put_reason(const struct gdbstub *stub, struct text *reply)
{
	switch (stub->stop.reason) {
	case TARGET_STOP_BREAKPOINT:
		put_breakpoint(stub, reply);
		break;
	case TARGET_STOP_WATCHPOINT:
		put_watchpoint(stub, reply);
		break;
	case TARGET_STOP_REPLAYLOG_BEGIN:
		text_format(reply, "replaylog:begin;");
		break;
	case TARGET_STOP_REPLAYLOG_END:
		text_format(reply, "replaylog:end;");
		break;
	case TARGET_STOP_STEP:
	case TARGET_STOP_SIGNAL:
	case TARGET_STOP_EXITED:
	case TARGET_STOP_REASON_COUNT:
		break;
	}
}

void stop_reply_put(struct gdbstub *stub, struct text *reply)
{
	static const uint32_t registers[] = {GDB_REG_x29, GDB_REG_sp, GDB_REG_pc};
	const struct target_stop *stop = &stub->stop;

	if (stop->reason == TARGET_STOP_EXITED) {
		text_format(reply, "W%02x", stop->code);
		return;
	}
	text_format(reply, "T%02xthread:%x;", stop->reason == TARGET_STOP_SIGNAL ? stop->code : SIGNAL_TRAP,
		    stop->thread + 1);
	put_reason(stub, reply);
	for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i++)
		put_register(stub, reply, registers[i]);
}
