/* Packets about the session: what both sides support, why the target stopped, monitor commands, offsets. */
#include "gdbstub/packet_rows.h"
#include "gdbstub/stop_reply.h"

#include <stdlib.h>
#include <string.h>

enum { PACKET_SECONDS = 60 };

enum packet_reply packet_supported(struct gdbstub *stub, struct args *args)
{
	args_accept(args, ':');
	while (args->left > 0) {
		const struct args feature = args_until(args, ';');

		if (args_equal(&feature, "swbreak+"))
			stub->knows_swbreak = true;
		if (args_equal(&feature, "hwbreak+"))
			stub->knows_hwbreak = true;
	}
	text_format(&stub->reply,
		    "PacketSize=%x;QStartNoAckMode+;vContSupported+;ReverseStep+;ReverseContinue+;swbreak+;hwbreak+;"
		    "ConditionalBreakpoints+;BreakpointCommands-;multiprocess-;binary-upload+;qXfer:features:read+;"
		    "qXfer:threads:read+;qXfer:memory-map:read%c",
		    FRAME_BYTES_MAX, stub->ops->memory_map ? '+' : '-');
	return PACKET_TEXT;
}

enum packet_reply packet_no_ack(struct gdbstub *stub, struct args *args)
{
	(void)args;
	stub->no_ack = true;
	return PACKET_OK;
}

enum packet_reply packet_stop_reason(struct gdbstub *stub, struct args *args)
{
	(void)args;
	stub->thread = stub->stop.thread;
	stop_reply_put(stub, &stub->reply);
	return PACKET_TEXT;
}

/* "Attached": gdb then detaches when it ends, and does not kill. */
enum packet_reply packet_attached(struct gdbstub *stub, struct args *args)
{
	(void)args;
	text_byte(&stub->reply, '1');
	return PACKET_TEXT;
}

enum packet_reply packet_offsets(struct gdbstub *stub, struct args *args)
{
	va_t start;

	(void)args;
	if (!stub->ops->program_va || !stub->ops->program_va(stub->context, &start))
		return PACKET_UNKNOWN;
	text_format(&stub->reply, "TextSeg=%llx", (unsigned long long)start.v);
	return PACKET_TEXT;
}

/* gdb sends no interrupt character during a monitor command: at Ctrl-C it stops to listen. This packet, which
 * tools/gdb/hvrec.py sends then, ends the command and has no reply of its own, so that the sender reads the command's.
 */
enum packet_reply packet_interrupt(struct gdbstub *stub, struct args *args)
{
	(void)args;
	if (stub->state == STUB_RUNNING || stub->state == STUB_MONITOR)
		stub->ops->interrupt(stub->context);
	return PACKET_NONE;
}

/* gdb takes text only while it waits for a stop or for a monitor command: hvrec.py asks, after a write. */
enum packet_reply packet_notice(struct gdbstub *stub, struct args *args)
{
	char text[TARGET_TEXT_BYTES] = "";

	(void)args;
	if (stub->ops->notice && stub->ops->notice(stub->context, text))
		text_hex(&stub->reply, text, strnlen(text, sizeof text));
	return PACKET_TEXT;
}

/* "1": the last monitor command was refused, which gdb itself cannot tell from one that was not. */
enum packet_reply packet_refused(struct gdbstub *stub, struct args *args)
{
	(void)args;
	text_byte(&stub->reply, stub->is_refused ? '1' : '0');
	return PACKET_TEXT;
}

/* Whose turn it is where the last monitor command led to, which gdb does not look for by itself. Nothing: it did not
 * move. */
enum packet_reply packet_moved(struct gdbstub *stub, struct args *args)
{
	(void)args;
	if (stub->is_moved)
		text_format(&stub->reply, "%x", stub->stop.thread + 1);
	return PACKET_TEXT;
}

/* For LLDB, which else takes a watchpoint for one that reports after the access, and stops at it again and again; and
 * which waits a second for a packet unless it is asked to wait longer. */
enum packet_reply packet_host(struct gdbstub *stub, struct args *args)
{
	static const char triple[] = "aarch64-unknown-unknown";

	(void)args;
	text_format(&stub->reply, "triple:");
	text_hex(&stub->reply, triple, sizeof triple - 1);
	text_format(&stub->reply,
		    ";ptrsize:8;endian:little;watchpoint_exceptions_received:before;default_packet_timeout:%d;",
		    PACKET_SECONDS);
	return PACKET_TEXT;
}

enum packet_reply packet_watchpoints(struct gdbstub *stub, struct args *args)
{
	(void)args;
	text_format(&stub->reply, "num:%d;", GDB_BREAKPOINT_COUNT_MAX);
	return PACKET_TEXT;
}

/* The command is copied: the packet's memory is used again while it runs. */
enum packet_reply packet_monitor(struct gdbstub *stub, struct args *args)
{
	const size_t count = args->left / 2;

	if (!stub->ops->monitor)
		return PACKET_UNKNOWN;
	char *command = malloc(count + 1);
	if (!command)
		return PACKET_E_FAILED;
	args_hex_bytes(args, command, count);
	command[count] = '\0';
	if (!args_done(args) || strlen(command) != count) {
		free(command);
		return PACKET_E_MALFORMED;
	}
	stub->state = STUB_MONITOR;
	stub->is_moved = false;
	stub->ops->monitor(stub->context, command);
	free(command);
	return PACKET_NONE;
}
