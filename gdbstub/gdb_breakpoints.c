/* The list of breakpoints. It is searched from end to end: gdb has a few dozen at most, and asks for each by name. */
#include "gdbstub/gdb_breakpoints.h"
#include "gdbstub/condition.h"
#include "gdbstub/gdb_registers.h"

#include <stdlib.h>
#include <string.h>

static struct gdb_breakpoint *find(const struct gdb_breakpoints *breakpoints, const struct target_breakpoint *at)
{
	for (size_t i = 0; i < breakpoints->count; i++) {
		struct gdb_breakpoint *entry = &breakpoints->list[i];

		if (entry->at.kind == at->kind && entry->at.address.v == at->address.v && entry->at.bytes == at->bytes)
			return entry;
	}
	return NULL;
}

static bool make_room(struct gdb_breakpoints *breakpoints)
{
	const size_t capacity = breakpoints->capacity ? 2 * breakpoints->capacity : 16;

	if (breakpoints->count < breakpoints->capacity)
		return true;
	if (breakpoints->count >= GDB_BREAKPOINT_COUNT_MAX)
		return false;
	struct gdb_breakpoint *list = realloc(breakpoints->list, capacity * sizeof *list);
	if (!list)
		return false;
	breakpoints->list = list;
	breakpoints->capacity = capacity;
	return true;
}

bool gdb_breakpoints_insert(struct gdb_breakpoints *breakpoints, const struct target_ops *ops, void *context,
			    const struct target_breakpoint *at, uint8_t *conditions, size_t condition_bytes)
{
	struct gdb_breakpoint *entry = find(breakpoints, at);

	if (!entry) {
		if (!make_room(breakpoints) || !ops->breakpoint_insert(context, at)) {
			free(conditions);
			return false;
		}
		entry = &breakpoints->list[breakpoints->count++];
		*entry = (struct gdb_breakpoint){.at = *at};
	}
	free(entry->conditions);
	entry->conditions = conditions;
	entry->condition_bytes = condition_bytes;
	return true;
}

void gdb_breakpoints_remove(struct gdb_breakpoints *breakpoints, const struct target_ops *ops, void *context,
			    const struct target_breakpoint *at)
{
	struct gdb_breakpoint *entry = find(breakpoints, at);

	if (!entry)
		return;
	ops->breakpoint_remove(context, at);
	free(entry->conditions);
	*entry = breakpoints->list[--breakpoints->count];
}

void gdb_breakpoints_clear(struct gdb_breakpoints *breakpoints, const struct target_ops *ops, void *context)
{
	for (size_t i = 0; i < breakpoints->count; i++) {
		ops->breakpoint_remove(context, &breakpoints->list[i].at);
		free(breakpoints->list[i].conditions);
	}
	free(breakpoints->list);
	*breakpoints = (struct gdb_breakpoints){0};
}

/* Any true one is enough. One that cannot be evaluated counts as true: the user sees where, instead of never. */
static bool conditions_hold(const struct gdb_breakpoint *entry, const struct target_ops *ops, void *context,
			    uint32_t thread)
{
	const uint8_t *at = entry->conditions, *end = at + entry->condition_bytes;

	while (at < end) {
		const size_t count = (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
		uint64_t value = 0;

		if (condition_evaluate(at + 4, count, ops, context, thread, &value) != AGENT_EXPR_OK || value != 0)
			return true;
		at += 4 + count;
	}
	return false;
}

static bool is_at(const struct gdb_breakpoint *entry, enum target_break_kind kind, uint64_t address)
{
	if (entry->at.kind != kind)
		return false;
	if (kind <= TARGET_BREAK_HARDWARE)
		return entry->at.address.v == address;
	return address - entry->at.address.v < entry->at.bytes;
}

const uint8_t *gdb_breakpoints_conditions(const struct gdb_breakpoints *breakpoints, enum target_break_kind kind,
					  uint64_t address, size_t *bytes)
{
	const struct gdb_breakpoint *found = NULL;

	for (size_t i = 0; i < breakpoints->count; i++) {
		if (!is_at(&breakpoints->list[i], kind, address))
			continue;
		if (found)
			return NULL;
		found = &breakpoints->list[i];
	}
	*bytes = found ? found->condition_bytes : 0;
	return found ? found->conditions : NULL;
}

bool gdb_breakpoints_want(const struct gdb_breakpoints *breakpoints, const struct target_ops *ops, void *context,
			  const struct target_stop *stop)
{
	struct target_value pc = {0};

	if (stop->reason != TARGET_STOP_BREAKPOINT && stop->reason != TARGET_STOP_WATCHPOINT)
		return true;
	if (stop->reason == TARGET_STOP_BREAKPOINT && !ops->register_read(context, stop->thread, GDB_REG_pc, &pc))
		return true;
	for (size_t i = 0; i < breakpoints->count; i++) {
		const struct gdb_breakpoint *entry = &breakpoints->list[i];

		const uint64_t address = stop->reason == TARGET_STOP_BREAKPOINT ? pc.low : stop->address.v;

		if (is_at(entry, stop->kind, address) &&
		    (!entry->conditions || conditions_hold(entry, ops, context, stop->thread)))
			return true;
	}
	return false;
}
