/* EL0, entered and left. SPSR 0 is EL0t with all interrupts on. */
#include "tests/guest/lib/user.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"

static struct user *running;

void user_load(struct user *user, const char *code, const char *code_end)
{
	size_t bytes = (size_t)(code_end - code);
	memcpy((void *)MMU_USER, code, bytes);
	mmu_code_written(MMU_USER, bytes);
	memset(user, 0, sizeof(*user));
	user->pc = MMU_USER;
	user->sp = MMU_USER + MMU_USER_BYTES;
}

void user_run(struct user *user)
{
	irq_mask(); /* ELR_EL1 and SPSR_EL1 must stay as user_enter sets them */
	running = user;
	user_enter(user);
	running = NULL;
}

_Noreturn void user_leave(const struct exception_frame *frame, uint64_t esr, uint64_t far)
{
	CHECK(running, "exception from EL0 without user_run");
	memcpy(running->x, frame->x, sizeof(running->x));
	running->pc = frame->pc;
	running->spsr = frame->spsr;
	running->sp = SYSREG_READ(sp_el0);
	running->esr = esr;
	running->far = far;
	user_return();
}
