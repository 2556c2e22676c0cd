/* Z and z: "type,address,kind" and, for Z, conditions ";Xlength,bytecode…" (GDB manual, the z0 packet). */
#include "gdbstub/packet_rows.h"

#include <stdlib.h>
#include <string.h>

enum { INSTRUCTION_BYTES = 4 };

static bool take_breakpoint(struct args *args, struct target_breakpoint *at)
{
	const uint64_t kind = args_hex(args);
	args_expect(args, ',');
	at->address.v = args_hex(args);
	args_expect(args, ',');
	at->bytes = args_hex(args);
	if (args->failed || kind >= TARGET_BREAK_KIND_COUNT)
		return false;
	at->kind = (enum target_break_kind)kind;
	if (at->kind <= TARGET_BREAK_HARDWARE)
		at->bytes = INSTRUCTION_BYTES;
	return at->bytes > 0 && at->bytes - 1 <= UINT64_MAX - at->address.v;
}

/* Into stub->scratch, as struct gdb_breakpoint wants them. */
static bool take_conditions(struct gdbstub *stub, struct args *args)
{
	while (args_accept(args, 'X')) {
		const uint64_t count = args_hex(args);
		args_expect(args, ',');
		if (args->failed || count == 0 || count > args->left / 2)
			return false;
		const uint8_t prefix[4] = {(uint8_t)count, (uint8_t)(count >> 8), (uint8_t)(count >> 16),
					   (uint8_t)(count >> 24)};
		text_add(&stub->scratch, prefix, sizeof prefix);
		char *code = text_room(&stub->scratch, (size_t)count);
		if (!code)
			return false;
		args_hex_bytes(args, code, (size_t)count);
	}
	return args_done(args);
}

enum packet_reply packet_insert_breakpoint(struct gdbstub *stub, struct args *args)
{
	struct target_breakpoint at;
	uint8_t *conditions = NULL;

	if (!take_breakpoint(args, &at))
		return PACKET_E_MALFORMED;
	if (args_accept(args, ';') ? !take_conditions(stub, args) : !args_done(args))
		return PACKET_E_MALFORMED;
	const size_t count = stub->scratch.count;
	if (count > 0) {
		conditions = malloc(count);
		if (!conditions)
			return PACKET_E_FAILED;
		memcpy(conditions, stub->scratch.data, count);
	}
	if (!gdb_breakpoints_insert(&stub->breakpoints, stub->ops, stub->context, &at, conditions, count))
		return PACKET_E_FAILED;
	return PACKET_OK;
}

enum packet_reply packet_remove_breakpoint(struct gdbstub *stub, struct args *args)
{
	struct target_breakpoint at;

	if (!take_breakpoint(args, &at) || !args_done(args))
		return PACKET_E_MALFORMED;
	gdb_breakpoints_remove(&stub->breakpoints, stub->ops, stub->context, &at);
	return PACKET_OK;
}
