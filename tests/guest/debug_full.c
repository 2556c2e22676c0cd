/* All of the CPU's breakpoints and watchpoints in use by the guest itself, at EL0 and at EL1: each exception with its
 * class, ISS, address and return address, and each once. A debugger of the recording has to share them. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/user.h"

const char guest_name[] = "debug_full";

enum { MDSCR_KDE = 1 << 13, MDSCR_MDE = 1 << 15, ISS_WNR = 1 << 6, FSC_DEBUG = 0x22 };
enum { BCR_WORD = 0xf << 5 | 3 << 1 | 1, WCR_ALL = 0xff << 5 | 3 << 1 | 1, WCR_READ = 1 << 3, WCR_WRITE = 2 << 3 };
enum { CODE_ADD = 4, CODE_STORE = 8, CODE_LOAD = 12, CODE_END = 16 }; /* offsets in the code below */

static const uint64_t nowhere = 0x12340000;

__asm__(".text\n"
	".global code, code_end\n"
	"code:	mov	x0, #1\n"
	"	add	x0, x0, #2\n"
	"	str	x0, [sp, #-16]\n"
	"	ldr	x1, [sp, #-16]\n"
	"	svc	#0\n"
	"code_end:\n");
extern const char code[], code_end[];

static struct user user;
static volatile uint64_t variable;

/* Every one is enabled all the time; what is not wanted points nowhere. */
#define BREAKPOINT(i, at)                                                                                              \
	do {                                                                                                           \
		SYSREG_WRITE(dbgbvr##i##_el1, at);                                                                     \
		SYSREG_WRITE(dbgbcr##i##_el1, BCR_WORD);                                                               \
	} while (0)
#define WATCHPOINT(i, at, access)                                                                                      \
	do {                                                                                                           \
		SYSREG_WRITE(dbgwvr##i##_el1, at);                                                                     \
		SYSREG_WRITE(dbgwcr##i##_el1, WCR_ALL | (access));                                                     \
	} while (0)

static void fill(void)
{
	BREAKPOINT(2, nowhere);
	BREAKPOINT(3, nowhere);
	BREAKPOINT(4, nowhere);
	BREAKPOINT(5, nowhere);
	WATCHPOINT(2, nowhere, WCR_READ | WCR_WRITE);
	WATCHPOINT(3, nowhere, WCR_READ | WCR_WRITE);
	SYSREG_WRITE(mdscr_el1, SYSREG_READ(mdscr_el1) | MDSCR_MDE | MDSCR_KDE);
	isb(); /* debug exceptions are on, for EL1 too once it unmasks them */
}

static void expect(uint32_t class, uint64_t offset, const char *why)
{
	isb(); /* what was set is in force */
	user_run(&user);
	CHECK(ESR_EC(user.esr) == class, why);
	CHECK(user.pc == MMU_USER + offset, "taken at another instruction");
}

static void at_el0(void)
{
	BREAKPOINT(0, MMU_USER + CODE_ADD);
	BREAKPOINT(1, MMU_USER + CODE_STORE);
	WATCHPOINT(0, user.sp - 16, WCR_WRITE);
	WATCHPOINT(1, user.sp - 16, WCR_READ);
	expect(EC_BREAKPOINT_LOWER, CODE_ADD, "first breakpoint not taken");
	CHECK(ESR_ISS(user.esr) == FSC_DEBUG, "breakpoint: wrong ISS");
	BREAKPOINT(0, nowhere);
	expect(EC_BREAKPOINT_LOWER, CODE_STORE, "second breakpoint not taken");
	BREAKPOINT(1, nowhere);
	expect(EC_WATCHPOINT_LOWER, CODE_STORE, "watchpoint on a store not taken");
	CHECK(user.far == user.sp - 16 && ESR_ISS(user.esr) == (ISS_WNR | FSC_DEBUG), "store: wrong FAR or ISS");
	WATCHPOINT(0, nowhere, WCR_WRITE);
	expect(EC_WATCHPOINT_LOWER, CODE_LOAD, "watchpoint on a load not taken");
	CHECK(user.far == user.sp - 16 && ESR_ISS(user.esr) == FSC_DEBUG, "load: wrong FAR or ISS");
	WATCHPOINT(1, nowhere, WCR_READ);
	expect(EC_SVC, CODE_END + 4, "EL0 did not go on to its end");
	CHECK(user.x[0] == 3 && user.x[1] == 3, "EL0 did not run each instruction once");
}

static void expect_el1(uint64_t count, uint32_t class, uint64_t pc, const char *why)
{
	CHECK(exception_last.count == count, why);
	CHECK(ESR_EC(exception_last.esr) == class && exception_last.pc == pc, "EL1: wrong class or ELR");
}

/* The handler skips the instruction, so that nothing has to be taken back. */
static void at_el1(void)
{
	uint64_t pc, at = (uint64_t)&variable;
	__asm__ volatile("adr %0, 1f\n msr dbgbvr5_el1, %0\n isb\n msr daifclr, #8\n1: nop\n msr daifset, #8"
			 : "=r"(pc)::"memory");
	expect_el1(1, EC_BREAKPOINT, pc, "breakpoint at EL1 not taken");
	WATCHPOINT(3, at, WCR_WRITE);
	__asm__ volatile("adr %0, 1f\n isb\n msr daifclr, #8\n1: str xzr, [%1]\n msr daifset, #8"
			 : "=&r"(pc)
			 : "r"(at)
			 : "memory");
	expect_el1(2, EC_WATCHPOINT, pc, "watchpoint at EL1 not taken");
	CHECK(exception_last.far == at, "watchpoint at EL1: wrong FAR");
	variable = 1; /* masked: passes */
	CHECK(exception_last.count == 2, "a masked watchpoint was taken");
}

void guest_main(void)
{
	exception_on_sync = exception_note_and_skip;
	SYSREG_WRITE(oslar_el1, 0);
	SYSREG_WRITE(osdlr_el1, 0);
	isb(); /* debug exceptions are unlocked */
	mmu_on();
	user_load(&user, code, code_end);
	fill();
	at_el0();
	at_el1();
}
