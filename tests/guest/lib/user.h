/* Code at EL0: one struct holds its registers; user_enter runs it up to its next synchronous exception.
 * The MMU is on, and code, data and stack of EL0 are in the one block that mmu_on gives it (mmu.h). */
#pragma once
#include "tests/guest/lib/exception.h"
#include <stdint.h>

struct user {
	uint64_t x[31]; /* x, pc, spsr, sp: offsets known to user_entry.S */
	uint64_t pc;
	uint64_t spsr;
	uint64_t sp;
	uint64_t esr; /* why it came back, and FAR_EL1 */
	uint64_t far;
};

/* Copies EL0's code (from label to label) to the start of its block and sets up `user` to run it: registers zero,
 * interrupts on, stack at the block's end. */
void user_load(struct user *user, const char *code, const char *code_end);

/* The rest of it, for code that is loaded already: on the CPU that is to run it, with a stack of that CPU's own. */
enum { USER_STACK_BYTES = 0x10000 };
void user_reset(struct user *user);

/* Runs `user` until a synchronous exception from EL0, and keeps its registers, ESR_EL1 and FAR_EL1 in it. Interrupts
 * meanwhile are handled as ever. Not reentrant, but each CPU may run one. */
void user_run(struct user *user);

/* Called by exception.c for a synchronous exception from EL0: ends user_run. */
_Noreturn void user_leave(const struct exception_frame *frame, uint64_t esr, uint64_t far);

/* user_entry.S */
void user_enter(struct user *user);
_Noreturn void user_return(void);
