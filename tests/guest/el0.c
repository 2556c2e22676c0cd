/* EL0 with page tables: system calls with arguments and results, its memory, and the aborts of what it may not do. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/timer.h"
#include "tests/guest/lib/user.h"

const char guest_name[] = "el0";

enum { CALL_COUNT = 1000, DFSC_PERMISSION_LEVEL2 = 0x0e, DFSC_TRANSLATION_LEVEL1 = 0x05 };

/* Calls with x0 = 0, 1, 2, … and the answer of the last call added up in x1, until the answer is 0; then the aborts. */
__asm__(".text\n"
	".global code, code_end\n"
	"code:	mov	x0, #0\n"
	"	mov	x1, #0\n"
	"1:	str	x0, [sp, #-16]!\n"
	"	svc	#0x123\n"
	"	add	x1, x1, x0\n"
	"	mov	x2, x0\n"
	"	ldr	x0, [sp], #16\n"
	"	add	x0, x0, #1\n"
	"	cbnz	x2, 1b\n"
	"	mov	x3, #0x40000000\n"
	"	ldr	x4, [x3]\n"
	"	str	x4, [x3]\n"
	"	mov	x3, #0x9000000\n"
	"	ldr	w4, [x3]\n"
	"	mov	x3, #0x1000000000\n"
	"	ldr	x4, [x3]\n"
	"	svc	#0x456\n"
	"code_end:\n");
extern const char code[], code_end[];

static struct user user;

static void expect_abort(uint64_t address, uint32_t dfsc, const char *why)
{
	user_run(&user);
	CHECK(ESR_EC(user.esr) == EC_DATA_ABORT_LOWER, why);
	CHECK(ESR_DFSC(user.esr) == dfsc, "abort with another fault status");
	CHECK(user.far == address, "abort with another address");
	user.pc += 4;
}

static void answer_calls(void)
{
	for (uint64_t i = 0; i < CALL_COUNT; i++) {
		user_run(&user);
		CHECK(ESR_EC(user.esr) == EC_SVC && (ESR_ISS(user.esr) & 0xffff) == 0x123, "no SVC #0x123");
		CHECK(user.x[0] == i, "wrong argument from EL0");
		CHECK(user.x[1] == i * (i + 1) / 2, "wrong sum at EL0");
		user.x[0] = i + 1 < CALL_COUNT ? i + 1 : 0;
	}
}

void guest_main(void)
{
	mmu_on();
	timer_storm_start(5000);
	user_load(&user, code, code_end);
	answer_calls();
	expect_abort(RAM, DFSC_PERMISSION_LEVEL2, "no abort: EL0 read EL1's memory");
	expect_abort(RAM, DFSC_PERMISSION_LEVEL2, "no abort: EL0 wrote EL1's memory");
	expect_abort(UART, 0x0d, "no abort: EL0 read a device");
	expect_abort(UINT64_C(0x1000000000), DFSC_TRANSLATION_LEVEL1, "no abort: EL0 read unmapped memory");
	user_run(&user);
	CHECK(ESR_EC(user.esr) == EC_SVC && (ESR_ISS(user.esr) & 0xffff) == 0x456, "no SVC #0x456");
	timer_storm_stop();
}
