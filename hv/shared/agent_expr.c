/* The bytecode machine for conditions. Before an instruction runs, its operand and the values that it takes and leaves
 * are checked against agent_expr.def, so that the instructions themselves do not look at bounds (but for jumps and
 * pick). */
#include "hv/shared/agent_expr.h"

#define AGENT_OP(name, opcode, bytes, taken, left) OP_##name = (opcode),
enum agent_op {
#include "hv/shared/agent_expr.def"
};
#undef AGENT_OP

struct op_row {
	bool is_known;
	uint8_t bytes, taken, left;
};

#define AGENT_OP(name, opcode, bytes, taken, left) [opcode] = {true, bytes, taken, left},
static const struct op_row rows[256] = {
#include "hv/shared/agent_expr.def"
};
#undef AGENT_OP

struct machine {
	const uint8_t *code;
	size_t count;
	size_t pc;
	size_t depth;
	uint64_t stack[AGENT_EXPR_STACK_COUNT];
	const struct agent_expr_reader *reader;
};

static enum agent_expr_status jump(struct machine *m, uint64_t target)
{
	if (target >= m->count)
		return AGENT_EXPR_BAD_CODE;
	m->pc = (size_t)target;
	return AGENT_EXPR_OK;
}

static enum agent_expr_status read_memory(struct machine *m, size_t count)
{
	uint8_t bytes[8];
	uint64_t value = 0;

	if (!m->reader->read_memory(m->reader->context, m->stack[m->depth - 1], bytes, count))
		return AGENT_EXPR_NO_MEMORY;
	for (size_t i = count; i-- > 0;)
		value = value << 8 | bytes[i];
	m->stack[m->depth - 1] = value;
	return AGENT_EXPR_OK;
}

static enum agent_expr_status read_register(struct machine *m, uint64_t number)
{
	uint64_t value;

	if (!m->reader->read_register(m->reader->context, number, &value))
		return AGENT_EXPR_NO_REGISTER;
	m->stack[m->depth++] = value;
	return AGENT_EXPR_OK;
}

/* The value's low bits, the highest of them repeated (is_signed) or zeros above. */
static enum agent_expr_status extend(struct machine *m, uint64_t bits, bool is_signed)
{
	uint64_t *top = &m->stack[m->depth - 1];

	if (bits == 0)
		return AGENT_EXPR_BAD_VALUE;
	if (bits >= 64)
		return AGENT_EXPR_OK;
	const uint64_t sign = UINT64_C(1) << (bits - 1);
	*top &= (sign << 1) - 1;
	if (is_signed)
		*top = (*top ^ sign) - sign;
	return AGENT_EXPR_OK;
}

/* The most negative number divided by -1 is itself, as on AArch64. */
static uint64_t divide_signed(uint64_t a, uint64_t b)
{
	return b == UINT64_MAX ? 0 - a : (uint64_t)((int64_t)a / (int64_t)b);
}

static uint64_t shift_right_signed(uint64_t a, uint64_t count)
{
	const uint64_t fill = a >> 63 ? UINT64_MAX : 0;

	if (count == 0)
		return a;
	return count > 63 ? fill : a >> count | fill << (64 - count);
}

static enum agent_expr_status divide(enum agent_op op, uint64_t a, uint64_t b, uint64_t *result)
{
	if (b == 0)
		return AGENT_EXPR_BAD_VALUE;
	if (op == OP_div_unsigned)
		*result = a / b;
	else if (op == OP_rem_unsigned)
		*result = a % b;
	else if (op == OP_div_signed)
		*result = divide_signed(a, b);
	else
		*result = a - b * divide_signed(a, b);
	return AGENT_EXPR_OK;
}

static uint64_t combine(enum agent_op op, uint64_t a, uint64_t b)
{
	const uint64_t sign = UINT64_C(1) << 63;

	switch ((int)op) {
	case OP_add:
		return a + b;
	case OP_sub:
		return a - b;
	case OP_mul:
		return a * b;
	case OP_lsh:
		return b > 63 ? 0 : a << b;
	case OP_rsh_signed:
		return shift_right_signed(a, b);
	case OP_rsh_unsigned:
		return b > 63 ? 0 : a >> b;
	case OP_bit_and:
		return a & b;
	case OP_bit_or:
		return a | b;
	case OP_bit_xor:
		return a ^ b;
	case OP_equal:
		return a == b;
	case OP_less_unsigned:
		return a < b;
	default: /* OP_less_signed */
		return (a ^ sign) < (b ^ sign);
	}
}

static enum agent_expr_status binary(struct machine *m, enum agent_op op)
{
	const uint64_t b = m->stack[--m->depth];
	uint64_t *top = &m->stack[m->depth - 1];

	if (op == OP_div_signed || op == OP_div_unsigned || op == OP_rem_signed || op == OP_rem_unsigned)
		return divide(op, *top, b, top);
	*top = combine(op, *top, b);
	return AGENT_EXPR_OK;
}

static enum agent_expr_status pick(struct machine *m, uint64_t index)
{
	if (index >= m->depth)
		return AGENT_EXPR_BAD_STACK;
	m->stack[m->depth] = m->stack[m->depth - 1 - index];
	m->depth++;
	return AGENT_EXPR_OK;
}

/* `swap` exchanges the top two; `rot` puts the top one below the two that were under it. */
static void rotate(struct machine *m, size_t count)
{
	uint64_t *top = &m->stack[m->depth - 1];
	const uint64_t moved = *top;

	for (size_t i = 0; i + 1 < count; i++)
		top[-(ptrdiff_t)i] = top[-(ptrdiff_t)i - 1];
	top[1 - (ptrdiff_t)count] = moved;
}

static enum agent_expr_status execute(struct machine *m, enum agent_op op, uint64_t operand)
{
	uint64_t *top = m->depth > 0 ? &m->stack[m->depth - 1] : m->stack;

	switch ((int)op) {
	case OP_log_not:
		*top = !*top;
		return AGENT_EXPR_OK;
	case OP_bit_not:
		*top = ~*top;
		return AGENT_EXPR_OK;
	case OP_ext:
		return extend(m, operand, true);
	case OP_zero_ext:
		return extend(m, operand, false);
	case OP_ref8:
		return read_memory(m, 1);
	case OP_ref16:
		return read_memory(m, 2);
	case OP_ref32:
		return read_memory(m, 4);
	case OP_ref64:
		return read_memory(m, 8);
	case OP_if_goto:
		return m->stack[--m->depth] ? jump(m, operand) : AGENT_EXPR_OK;
	case OP_goto:
		return jump(m, operand);
	case OP_const8:
	case OP_const16:
	case OP_const32:
	case OP_const64:
		m->stack[m->depth++] = operand;
		return AGENT_EXPR_OK;
	case OP_reg:
		return read_register(m, operand);
	case OP_dup:
		return pick(m, 0);
	case OP_pick:
		return pick(m, operand);
	case OP_pop:
		m->depth--;
		return AGENT_EXPR_OK;
	case OP_swap:
		rotate(m, 2);
		return AGENT_EXPR_OK;
	case OP_rot:
		rotate(m, 3);
		return AGENT_EXPR_OK;
	default:
		return binary(m, op);
	}
}

/* Takes one instruction and its (big-endian) operand, and checks that the stack has room for it. */
static enum agent_expr_status fetch(struct machine *m, enum agent_op *op, uint64_t *operand)
{
	if (m->pc >= m->count || !rows[m->code[m->pc]].is_known)
		return AGENT_EXPR_BAD_CODE;
	const struct op_row *row = &rows[m->code[m->pc]];
	*op = (enum agent_op)m->code[m->pc++];
	if (m->count - m->pc < row->bytes)
		return AGENT_EXPR_BAD_CODE;
	*operand = 0;
	for (size_t i = 0; i < row->bytes; i++)
		*operand = *operand << 8 | m->code[m->pc++];
	if (m->depth < row->taken || m->depth - row->taken + row->left > AGENT_EXPR_STACK_COUNT)
		return AGENT_EXPR_BAD_STACK;
	return AGENT_EXPR_OK;
}

enum agent_expr_status agent_expr_evaluate(const uint8_t *code, size_t count, const struct agent_expr_reader *reader,
					   uint64_t *value)
{
	struct machine m = {.code = code, .count = count, .reader = reader};

	for (uint32_t step = 0; step < AGENT_EXPR_STEP_COUNT_MAX; step++) {
		enum agent_op op;
		uint64_t operand;
		enum agent_expr_status status = fetch(&m, &op, &operand);

		if (status == AGENT_EXPR_OK && op == OP_end) {
			*value = m.stack[m.depth - 1];
			return AGENT_EXPR_OK;
		}
		if (status == AGENT_EXPR_OK)
			status = execute(&m, op, operand);
		if (status != AGENT_EXPR_OK)
			return status;
	}
	return AGENT_EXPR_TOO_LONG;
}
