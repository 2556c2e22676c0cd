/* The registers as gdb numbers them, and the target description that tells gdb so: both from gdb_registers.def. */
#pragma once
#include "gdbstub/text.h"

#define GDB_REGISTER(feature, id, name, bits, type, group) GDB_REG_##id,
enum {
#include "gdbstub/gdb_registers.def"
	GDB_REGISTER_COUNT,
};
#undef GDB_REGISTER

/* The registers before this one are in g and G packets; gdb asks for the others singly. */
enum { GDB_REGISTER_G_COUNT = GDB_REG_fpcr + 1 };

/* Of one register, as it stands in packets; 4, 8 or 16. `number` is less than GDB_REGISTER_COUNT. */
size_t gdb_registers_bytes(uint32_t number);

/* Adds target.xml (GDB manual, "Target Description Format"). */
void gdb_registers_describe(struct text *text);
