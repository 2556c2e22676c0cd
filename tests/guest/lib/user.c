/* EL0, entered and left. SPSR 0 is EL0t with all interrupts on. */
#include "tests/guest/lib/user.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/smp.h"

static struct user *running[SMP_MAX]; /* by CPU */

void user_load(struct user *user, const char *code, const char *code_end)
{
	size_t bytes = (size_t)(code_end - code);
	memcpy((void *)MMU_USER, code, bytes);
	mmu_code_written(MMU_USER, bytes);
	user_reset(user);
}

void user_reset(struct user *user)
{
	memset(user, 0, sizeof(*user));
	user->pc = MMU_USER;
	user->sp = MMU_USER + MMU_USER_BYTES - smp_self() * USER_STACK_BYTES;
}

void user_run(struct user *user)
{
	irq_mask(); /* ELR_EL1 and SPSR_EL1 must stay as user_enter sets them */
	running[smp_self()] = user;
	user_enter(user);
	running[smp_self()] = NULL;
}

_Noreturn void user_leave(const struct exception_frame *frame, uint64_t esr, uint64_t far)
{
	struct user *user = running[smp_self()];
	CHECK(user, "exception from EL0 without user_run");
	memcpy(user->x, frame->x, sizeof(user->x));
	user->pc = frame->pc;
	user->spsr = frame->spsr;
	user->sp = SYSREG_READ(sp_el0);
	user->esr = esr;
	user->far = far;
	user_return();
}
