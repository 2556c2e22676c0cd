/* The breakpoints and watchpoints that gdb has inserted, with their conditions.
 *
 * 1. One entry for each (kind, address, length): gdb may insert one again, with other conditions that replace the old.
 * 2. An entry is here exactly while it is inserted in the target. */
#pragma once
#include "gdbstub/target.h"

enum { GDB_BREAKPOINT_COUNT_MAX = 65536 };

struct gdb_breakpoint {
	struct target_breakpoint at;
	uint8_t *conditions; /* malloc; each a length (4 bytes, little-endian) and its bytecode. NULL: none */
	size_t condition_bytes;
};

struct gdb_breakpoints {
	struct gdb_breakpoint *list; /* malloc */
	size_t count, capacity;
};

/* Takes over `conditions`, also when it fails: the target cannot, too many, no memory. */
bool gdb_breakpoints_insert(struct gdb_breakpoints *breakpoints, const struct target_ops *ops, void *context,
			    const struct target_breakpoint *at, uint8_t *conditions, size_t condition_bytes);

/* Removing what is not there changes nothing. Cannot fail. */
void gdb_breakpoints_remove(struct gdb_breakpoints *breakpoints, const struct target_ops *ops, void *context,
			    const struct target_breakpoint *at);

/* Removes all, and frees. Cannot fail. */
void gdb_breakpoints_clear(struct gdb_breakpoints *breakpoints, const struct target_ops *ops, void *context);

/* The conditions of the one breakpoint of this kind at `address`, or of the one watchpoint around it, as in struct
 * gdb_breakpoint; NULL: it has none, or there is not one alone. */
const uint8_t *gdb_breakpoints_conditions(const struct gdb_breakpoints *breakpoints, enum target_break_kind kind,
					  uint64_t address, size_t *bytes);

/* Whether a candidate for a stop (reason breakpoint or watchpoint) is wanted: an entry of its kind at pc (around the
 * address) that has no condition, or one that is true, or one that cannot be evaluated. */
bool gdb_breakpoints_want(const struct gdb_breakpoints *breakpoints, const struct target_ops *ops, void *context,
			  const struct target_stop *stop);
