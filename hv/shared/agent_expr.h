/* gdb's agent expressions: the conditions of breakpoints as bytecode for a small stack machine, so that a condition
 * that is false costs no round trip. hv evaluates them where the guest meets a breakpoint, the stub for what hv leaves
 * to it. Source: GDB manual, appendix "The GDB Agent Expression Mechanism".
 *
 * 1. Bounded: AGENT_EXPR_STACK_COUNT values, AGENT_EXPR_STEP_COUNT_MAX instructions, and every operand inside the code.
 * 2. Only reads the target. Opcodes that are for tracepoints, floating point or trace variables are errors. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AGENT_EXPR_STACK_COUNT = 100, AGENT_EXPR_STEP_COUNT_MAX = 4096 };

enum agent_expr_status {
	AGENT_EXPR_OK,
	AGENT_EXPR_BAD_CODE,  /* an unknown opcode, a jump or operand outside of the code, no end */
	AGENT_EXPR_BAD_STACK, /* too many or too few values */
	AGENT_EXPR_BAD_VALUE, /* a division by zero, an extension of no bits */
	AGENT_EXPR_NO_MEMORY, /* an address that the target cannot read */
	AGENT_EXPR_NO_REGISTER,
	AGENT_EXPR_TOO_LONG, /* the bound on instructions: a loop */
};

/* What an expression may read. Registers are numbered as in gdbstub/gdb_registers.def; memory is virtual. False: there
 * is no such register, or some of the `count` bytes cannot be read. */
struct agent_expr_reader {
	bool (*read_register)(const void *context, uint64_t number, uint64_t *value);
	bool (*read_memory)(const void *context, uint64_t address, uint8_t *bytes, size_t count);
	const void *context;
};

/* Evaluates `code`; *value is the top of the stack at its end, and set only if the result is AGENT_EXPR_OK. Memory is
 * little-endian; of registers wider than 64 bits the low 64 are taken. */
enum agent_expr_status agent_expr_evaluate(const uint8_t *code, size_t count, const struct agent_expr_reader *reader,
					   uint64_t *value);
