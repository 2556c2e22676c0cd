/* The guest's own debugging: BRK at EL1 and EL0, software step, a hardware breakpoint and a watchpoint at EL0, all
 * taken at EL1 with the right syndrome and address. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/user.h"

const char guest_name[] = "brk";

enum { MDSCR_SS = 1, MDSCR_MDE = 1 << 15, SPSR_SS = 1 << 21 };
enum { BCR_EL0_WORD = 0xf << 5 | 2 << 1 | 1, WCR_EL0_ALL = 0xff << 5 | 3 << 3 | 2 << 1 | 1 };
enum { CODE_STEP = 8, CODE_STORE = 16, CODE_END = 20 }; /* offsets in the code below */

__asm__(".text\n"
	".global code, code_end\n"
	"code:	mov	x0, #1\n"
	"	brk	#0x77\n"
	"	add	x0, x0, #1\n"
	"	add	x0, x0, #2\n"
	"	str	x0, [sp, #-16]\n"
	"	svc	#0\n"
	"code_end:\n");
extern const char code[], code_end[];

static struct user user;

static void expect(uint32_t class, uint64_t offset, const char *why)
{
	user_run(&user);
	CHECK(ESR_EC(user.esr) == class, why);
	CHECK(user.pc == MMU_USER + offset, "taken at another instruction");
}

static void brk_at_el1(void)
{
	uint64_t pc;
	__asm__ volatile("adr %0, 1f\n1: brk #0x55" : "=r"(pc)::"memory");
	CHECK(exception_last.count == 1, "BRK at EL1 not taken");
	CHECK(exception_last.esr == ((uint64_t)EC_BRK << 26 | 1 << 25 | 0x55), "BRK at EL1: wrong ESR");
	CHECK(exception_last.pc == pc, "BRK at EL1: wrong ELR");
}

static void brk_at_el0(void)
{
	expect(EC_BRK, 4, "BRK at EL0 not taken");
	CHECK((user.esr & 0xffff) == 0x77, "BRK at EL0: wrong immediate");
	user.pc += 4;
}

static void step(void)
{
	SYSREG_WRITE(mdscr_el1, SYSREG_READ(mdscr_el1) | MDSCR_SS);
	isb(); /* stepping is on before EL0 is entered */
	for (uint64_t offset = CODE_STEP + 4; offset <= CODE_STORE; offset += 4) {
		user.spsr |= SPSR_SS;
		expect(EC_STEP_LOWER, offset, "software step not taken");
	}
	SYSREG_WRITE(mdscr_el1, SYSREG_READ(mdscr_el1) & ~(uint64_t)MDSCR_SS);
	isb(); /* and off again */
	CHECK(user.x[0] == 4, "steps did not run the instructions");
	user.spsr &= ~(uint64_t)SPSR_SS;
}

static void breakpoint_and_watchpoint(void)
{
	SYSREG_WRITE(dbgbvr0_el1, MMU_USER + CODE_STORE);
	SYSREG_WRITE(dbgbcr0_el1, BCR_EL0_WORD);
	SYSREG_WRITE(dbgwvr0_el1, user.sp - 16);
	SYSREG_WRITE(dbgwcr0_el1, WCR_EL0_ALL);
	SYSREG_WRITE(mdscr_el1, SYSREG_READ(mdscr_el1) | MDSCR_MDE);
	isb(); /* both are armed before EL0 is entered */
	expect(EC_BREAKPOINT_LOWER, CODE_STORE, "hardware breakpoint not taken");
	SYSREG_WRITE(dbgbcr0_el1, 0);
	isb(); /* the breakpoint is off before EL0 is entered */
	expect(EC_WATCHPOINT_LOWER, CODE_STORE, "watchpoint not taken");
	CHECK(user.far == user.sp - 16, "watchpoint: wrong FAR");
	SYSREG_WRITE(dbgwcr0_el1, 0);
	isb(); /* the watchpoint is off before EL0 is entered */
	expect(EC_SVC, CODE_END + 4, "EL0 did not go on to its end");
}

void guest_main(void)
{
	exception_on_sync = exception_note_and_skip;
	SYSREG_WRITE(oslar_el1, 0);
	SYSREG_WRITE(osdlr_el1, 0);
	isb(); /* debug exceptions are unlocked */
	brk_at_el1();
	mmu_on();
	user_load(&user, code, code_end);
	brk_at_el0();
	step();
	breakpoint_and_watchpoint();
	CHECK(exception_last.count == 1, "a debug exception at EL1 that nobody asked for");
}
