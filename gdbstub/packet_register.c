/* Packets that read and write registers: p, P, g, G. A register that the target does not have reads as "x" digits. */
#include "gdbstub/gdb_registers.h"
#include "gdbstub/packet_rows.h"

enum { REGISTER_BYTES_MAX = 16 };

static void put_register(struct gdbstub *stub, uint32_t number)
{
	const size_t count = gdb_registers_bytes(number);
	struct target_value value = {0};
	uint8_t bytes[REGISTER_BYTES_MAX];

	if (!stub->ops->register_read(stub->context, stub->thread, number, &value)) {
		for (size_t i = 0; i < 2 * count; i++)
			text_byte(&stub->reply, 'x');
		return;
	}
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)((i < 8 ? value.low >> 8 * i : value.high >> 8 * (i - 8)) & 0xff);
	text_hex(&stub->reply, bytes, count);
}

static struct target_value take_register(struct args *args, uint32_t number)
{
	const size_t count = gdb_registers_bytes(number);
	struct target_value value = {0};
	uint8_t bytes[REGISTER_BYTES_MAX] = {0};

	args_hex_bytes(args, bytes, count);
	for (size_t i = 0; i < count; i++) {
		if (i < 8)
			value.low |= (uint64_t)bytes[i] << 8 * i;
		else
			value.high |= (uint64_t)bytes[i] << 8 * (i - 8);
	}
	return value;
}

enum packet_reply packet_read_register(struct gdbstub *stub, struct args *args)
{
	const uint64_t number = args_hex(args);

	if (!args_done(args) || number >= GDB_REGISTER_COUNT)
		return PACKET_E_MALFORMED;
	put_register(stub, (uint32_t)number);
	return PACKET_TEXT;
}

enum packet_reply packet_write_register(struct gdbstub *stub, struct args *args)
{
	const uint64_t number = args_hex(args);

	args_expect(args, '=');
	if (args->failed || number >= GDB_REGISTER_COUNT)
		return PACKET_E_MALFORMED;
	const struct target_value value = take_register(args, (uint32_t)number);
	if (!args_done(args))
		return PACKET_E_MALFORMED;
	if (!stub->ops->register_write(stub->context, stub->thread, (uint32_t)number, &value))
		return PACKET_E_FAILED;
	return PACKET_OK;
}

enum packet_reply packet_read_registers(struct gdbstub *stub, struct args *args)
{
	(void)args;
	for (uint32_t i = 0; i < GDB_REGISTER_G_COUNT; i++)
		put_register(stub, i);
	return PACKET_TEXT;
}

enum packet_reply packet_write_registers(struct gdbstub *stub, struct args *args)
{
	struct target_value values[GDB_REGISTER_G_COUNT];

	for (uint32_t i = 0; i < GDB_REGISTER_G_COUNT; i++)
		values[i] = take_register(args, i);
	if (!args_done(args))
		return PACKET_E_MALFORMED;
	for (uint32_t i = 0; i < GDB_REGISTER_G_COUNT; i++) {
		if (!stub->ops->register_write(stub->context, stub->thread, i, &values[i]))
			return PACKET_E_FAILED;
	}
	return PACKET_OK;
}
