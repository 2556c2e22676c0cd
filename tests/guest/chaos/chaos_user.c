/* EL0: programs that compute, read counters, lock, fault, wait and are stepped, with interrupts on. */
#include "tests/guest/chaos/chaos.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/timer.h"
#include "tests/guest/lib/user.h"

enum { ENTRY_BYTES = 64, ENTRY_COUNT = 9, STEPS_MAX = 12 };
enum { MDSCR_SS = 1, MDSCR_MDE = 1 << 15, BCR_USER = 0xf << 5 | 2 << 1 | 1, ENTRY_WAIT = 7 };
#define SPSR_SS    (UINT64_C(1) << 21)
#define SCTLR_NTWI (UINT64_C(1) << 16)
#define SCTLR_NTWE (UINT64_C(1) << 18)

/* x0: turns; sp: memory. Each entry has ENTRY_BYTES. */
__asm__(".text\n"
	".balign 64\n"
	"code:\n"
	"1:	add	x1, x1, x0, lsl #3\n" /* 0: computes */
	"	eor	x1, x1, x1, ror #7\n"
	"	sub	x0, x0, #1\n"
	"	cbnz	x0, 1b\n"
	"	svc	#0\n"
	".balign 64\n"
	"1:	mrs	x2, cntvct_el0\n" /* 1: time without a trap */
	"	add	x1, x1, x2\n"
	"	eor	x1, x1, x1, ror #9\n"
	"	sub	x0, x0, #1\n"
	"	cbnz	x0, 1b\n"
	"	svc	#1\n"
	".balign 64\n"
	"	mrs	x1, cntpct_el0\n" /* 2: time with one */
	"	svc	#2\n"
	".balign 64\n"
	"	mrs	x1, pmccntr_el0\n" /* 3 */
	"	svc	#3\n"
	".balign 64\n"
	"1:	add	x3, x3, #1\n" /* 4: a store that has to be tried again */
	"	ldxr	x2, [x4]\n"
	"	add	x2, x2, #1\n"
	"	nop\n"
	"	stxr	w5, x2, [x4]\n"
	"	cbnz	w5, 1b\n"
	"	sub	x0, x0, #1\n"
	"	cbnz	x0, 1b\n"
	"	svc	#4\n"
	".balign 64\n"
	"	udf	#1\n" /* 5 */
	"	svc	#5\n"
	".balign 64\n"
	"	ldr	x1, [x6]\n" /* 6: memory of EL1 */
	"	svc	#6\n"
	".balign 64\n"
	"	wfi\n" /* 7 */
	"	mrs	x1, cntvct_el0\n"
	"	svc	#7\n"
	".balign 64\n"
	"	mrs	x1, cntv_ctl_el0\n" /* 8: trapped to EL1 or not, as CNTKCTL_EL1 says */
	"	mrs	x2, cntv_tval_el0\n"
	"	svc	#8\n"
	".balign 64\n"
	"code_end:\n");
extern const char code[], code_end[];

static struct user users[SMP_MAX];

static void seen_user(const struct user *user)
{
	for (int i = 0; i < 8; i++)
		chaos_see(user->x[i]);
	chaos_see(user->pc);
	chaos_see(user->spsr);
	chaos_see(user->esr);
}

/* The lock is the CPU's own, or that of all. */
static struct user *enter_at(uint64_t entry)
{
	struct user *user = &users[smp_self()];
	user->pc = MMU_USER + entry * ENTRY_BYTES;
	user->sp = MMU_USER + MMU_USER_BYTES - smp_self() * USER_STACK_BYTES;
	user->spsr = 0;
	user->x[0] = 1 + chaos_pick(100);
	user->x[4] = (chaos_pick(2) ? user->sp : MMU_USER + MMU_USER_BYTES) - 64;
	user->x[6] = RAM;
	return user;
}

void chaos_user_init(void)
{
	user_load(&users[0], code, code_end);
}

void chaos_user_join(void)
{
	user_reset(&users[smp_self()]);
	SYSREG_WRITE(sctlr_el1, SYSREG_READ(sctlr_el1) | SCTLR_NTWI | SCTLR_NTWE);
	isb(); /* WFI at EL0 is no exception */
}

/* A WFI has to end: something pending does it, masked or not. */
static void waker_set(void)
{
	SYSREG_WRITE(icc_pmr_el1, 0xff);
	gic_enable(TIMER_INTID_VIRTUAL);
	gic_set_priority(TIMER_INTID_VIRTUAL, GIC_PRIORITY_DEFAULT);
	SYSREG_WRITE(cntv_tval_el0, 200 + chaos_pick(3000));
	SYSREG_WRITE(cntv_ctl_el0, TIMER_ENABLE);
	isb(); /* in force */
}

void chaos_user(void)
{
	uint64_t entry = chaos_pick(ENTRY_COUNT);
	struct user *user = enter_at(entry);
	irq_mask();
	if (entry == ENTRY_WAIT) {
		user->spsr = 1 << 7; /* masked there: no handler can take the waker away */
		waker_set();
	}
	user_run(user);
	irq_unmask();
	seen_user(user);
}

/* The guest debugs its program: steps, or a breakpoint in a loop. */
void chaos_user_step(void)
{
	struct user *user = enter_at(chaos_pick(2) * 4);
	user->x[0] = 1 + chaos_pick(3);
	SYSREG_WRITE(oslar_el1, 0);
	if (chaos_pick(2) == 0) {
		SYSREG_WRITE(mdscr_el1, MDSCR_SS);
		for (uint64_t steps = 1 + chaos_pick(STEPS_MAX); steps != 0; steps--) {
			user->spsr |= SPSR_SS;
			user_run(user);
			irq_unmask();
			seen_user(user);
			if (ESR_EC(user->esr) != EC_STEP_LOWER)
				break;
		}
	} else {
		SYSREG_WRITE(dbgbvr0_el1, MMU_USER + chaos_pick(5) * 4);
		SYSREG_WRITE(dbgbcr0_el1, BCR_USER);
		SYSREG_WRITE(mdscr_el1, MDSCR_MDE);
		user_run(user);
		irq_unmask();
		seen_user(user);
		SYSREG_WRITE(dbgbcr0_el1, 0);
	}
	SYSREG_WRITE(mdscr_el1, 0);
	isb(); /* off */
}
