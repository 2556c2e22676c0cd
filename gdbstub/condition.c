/* What an expression reads, asked of the target. */
#include "gdbstub/condition.h"
#include "gdbstub/gdb_registers.h"

struct scope {
	const struct target_ops *ops;
	void *context;
	uint32_t thread;
};

static bool read_register(const void *context, uint64_t number, uint64_t *value)
{
	const struct scope *scope = context;
	struct target_value found;

	if (number >= GDB_REGISTER_COUNT ||
	    !scope->ops->register_read(scope->context, scope->thread, (uint32_t)number, &found))
		return false;
	*value = found.low;
	return true;
}

static bool read_memory(const void *context, uint64_t address, uint8_t *bytes, size_t count)
{
	const struct scope *scope = context;

	return target_read(scope->ops, scope->context, scope->thread, (struct target_address){TARGET_VIRTUAL, address},
			   bytes, count) == count;
}

enum agent_expr_status condition_evaluate(const uint8_t *code, size_t count, const struct target_ops *ops,
					  void *context, uint32_t thread, uint64_t *value)
{
	const struct scope scope = {ops, context, thread};
	const struct agent_expr_reader reader = {read_register, read_memory, &scope};

	return agent_expr_evaluate(code, count, &reader, value);
}
