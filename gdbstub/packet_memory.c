/* Packets that read and write memory: m, M, x, X, and QEMU's switch between virtual and physical addresses. */
#include "gdbstub/packet_rows.h"

/* "address,length" */
static size_t take_range(struct gdbstub *stub, struct args *args, struct target_address *address)
{
	address->space = stub->physical ? TARGET_PHYSICAL : TARGET_VIRTUAL;
	address->v = args_hex(args);
	args_expect(args, ',');
	const uint64_t count = args_hex(args);
	return count < SIZE_MAX ? (size_t)count : SIZE_MAX;
}

/* Fewer bytes than asked for are an allowed answer; none are an error. The bytes are in stub->scratch. */
static enum packet_reply read_range(struct gdbstub *stub, struct args *args)
{
	struct target_address address;
	size_t count = take_range(stub, args, &address);

	if (!args_done(args))
		return PACKET_E_MALFORMED;
	if (count > FRAME_BYTES_MAX / 2 - 1)
		count = FRAME_BYTES_MAX / 2 - 1;
	char *bytes = text_room(&stub->scratch, count);
	if (!bytes)
		return PACKET_E_FAILED;
	stub->scratch.count = target_read(stub->ops, stub->context, stub->thread, address, bytes, count);
	return stub->scratch.count > 0 || count == 0 ? PACKET_TEXT : PACKET_E_FAULT;
}

enum packet_reply packet_read_memory(struct gdbstub *stub, struct args *args)
{
	const enum packet_reply reply = read_range(stub, args);

	if (reply == PACKET_TEXT)
		text_hex(&stub->reply, stub->scratch.data, stub->scratch.count);
	return reply;
}

/* The reply is b and the bytes (gdb 16). */
enum packet_reply packet_read_binary(struct gdbstub *stub, struct args *args)
{
	const enum packet_reply reply = read_range(stub, args);

	if (reply == PACKET_TEXT) {
		text_byte(&stub->reply, 'b');
		text_escaped(&stub->reply, stub->scratch.data, stub->scratch.count);
	}
	return reply;
}

static enum packet_reply write_range(struct gdbstub *stub, struct target_address address, const char *bytes,
				     size_t count)
{
	if (target_write(stub->ops, stub->context, stub->thread, address, bytes, count) != count)
		return PACKET_E_FAULT;
	return PACKET_OK;
}

enum packet_reply packet_write_memory(struct gdbstub *stub, struct args *args)
{
	struct target_address address;
	const size_t count = take_range(stub, args, &address);

	args_expect(args, ':');
	if (args->failed || args->left % 2 != 0 || args->left / 2 != count)
		return PACKET_E_MALFORMED;
	char *bytes = text_room(&stub->scratch, count);
	if (!bytes)
		return PACKET_E_FAILED;
	args_hex_bytes(args, bytes, count);
	return args_done(args) ? write_range(stub, address, bytes, count) : PACKET_E_MALFORMED;
}

/* With no bytes it is gdb's question whether the packet is known. */
enum packet_reply packet_write_binary(struct gdbstub *stub, struct args *args)
{
	struct target_address address;
	const size_t count = take_range(stub, args, &address);

	args_expect(args, ':');
	if (args->failed || args->left < count)
		return PACKET_E_MALFORMED;
	char *bytes = text_room(&stub->scratch, count);
	if (!bytes)
		return PACKET_E_FAILED;
	if (args_binary(args, bytes, count) != count || !args_done(args))
		return PACKET_E_MALFORMED;
	return write_range(stub, address, bytes, count);
}

enum packet_reply packet_physical(struct gdbstub *stub, struct args *args)
{
	(void)args;
	text_byte(&stub->reply, stub->physical ? '1' : '0');
	return PACKET_TEXT;
}

enum packet_reply packet_set_physical(struct gdbstub *stub, struct args *args)
{
	const uint64_t physical = args_hex(args);

	if (!args_done(args) || physical > 1)
		return PACKET_E_MALFORMED;
	stub->physical = physical == 1;
	return PACKET_OK;
}
