/* WFI at EL0 in AArch32, as a 16-bit Thumb instruction: the program goes on at the next halfword. */
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/timer.h"
#include "tests/guest/lib/user.h"

const char guest_name[] = "thumb";

enum { SPSR_THUMB_USER_MASKED = 0xf0, SLEEP_TICKS = 3000, RESULT = 5, CODE_BYTES = 10 };
#define SCTLR_NTWI (UINT64_C(1) << 16) /* WFI at EL0 does not trap to EL1 */

/* movs r0, #0; wfi; adds r0, #1; adds r0, #4; svc 7 */
__asm__(".text\n"
	".balign 4\n"
	".global code, code_end\n"
	"code:	.hword	0x2000, 0xbf30, 0x3001, 0x3004, 0xdf07\n"
	"code_end:\n"
	"	.balign 4\n");
extern const char code[], code_end[];

static struct user user;

void guest_main(void)
{
	mmu_on();
	gic_init();
	gic_enable(TIMER_INTID_VIRTUAL);
	SYSREG_WRITE(sctlr_el1, SYSREG_READ(sctlr_el1) | SCTLR_NTWI);
	user_load(&user, code, code_end);
	user.spsr = SPSR_THUMB_USER_MASKED;
	uint64_t deadline = SYSREG_READ(cntvct_el0) + SLEEP_TICKS;
	SYSREG_WRITE(cntv_cval_el0, deadline);
	SYSREG_WRITE(cntv_ctl_el0, TIMER_ENABLE);
	isb(); /* the timer runs before the program */
	user_run(&user);
	CHECK(ESR_EC(user.esr) == EC_SVC_AARCH32 && (ESR_ISS(user.esr) & 0xffff) == 7, "no SVC #7");
	CHECK(user.pc == MMU_USER + CODE_BYTES, "SVC at another place");
	CHECK(user.x[0] == RESULT, "a halfword skipped or run twice");
	CHECK(SYSREG_READ(cntvct_el0) >= deadline, "guest time did not pass in WFI");
}
