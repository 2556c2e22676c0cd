/* What PMUSERENR_EL0 opens to EL0 (Arm ARM D17.5.17): each of its bits, alone and with others, against each register
 * that it is about. What EL0 reads is the counter that EL1 reads. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/user.h"

const char guest_name[] = "pmu_user";

enum { EN = 1, SW = 2, CR = 4, ER = 8, ANY = 16, EC_SYSREG = 0x18, PMCR_E = 1, PMCR_LC = 1 << 6 };
#define CYCLE_COUNTER (UINT64_C(1) << 31)

__asm__(".text\n"
	".global code, code_end\n"
	"code:	mrs	x1, pmccntr_el0\n"
	"	msr	pmccntr_el0, x1\n"
	"	mrs	x2, pmselr_el0\n"
	"	msr	pmselr_el0, x3\n"
	"	mrs	x2, pmxevcntr_el0\n"
	"	msr	pmswinc_el0, x3\n"
	"	mrs	x2, pmcr_el0\n"
	"	mrs	x2, pmovsset_el0\n"
	"	mrs	x4, pmuserenr_el0\n"
	"	svc	#0\n"
	"code_end:\n");
extern const char code[], code_end[];

/* What opens each of these instructions. */
static const uint64_t opened_by[] = {EN | CR, EN, EN | ER, EN | ER, EN | ER, EN | SW, EN, EN, ANY};
enum { COUNT = sizeof(opened_by) / sizeof(opened_by[0]) };

static struct user user;

static void expect(uint64_t open)
{
	user_load(&user, code, code_end);
	SYSREG_WRITE(pmuserenr_el0, open);
	isb(); /* EL0 finds it so */
	uint64_t before = SYSREG_READ(pmccntr_el0), start = user.pc;
	for (uint64_t i = 0; i < COUNT; i++) {
		if (opened_by[i] & (open | ANY))
			continue;
		user_run(&user);
		CHECK(user.pc == start + 4 * i, "another instruction of EL0 trapped");
		CHECK(ESR_EC(user.esr) == EC_SYSREG, "it trapped as something else");
		user.pc += 4;
	}
	user_run(&user);
	CHECK(ESR_EC(user.esr) == EC_SVC, "EL0 did not come to its end");
	CHECK(user.x[4] == open, "EL0 reads another PMUSERENR_EL0");
	if (open & (EN | CR))
		CHECK(user.x[1] >= before && user.x[1] <= SYSREG_READ(pmccntr_el0), "EL0 reads another counter");
}

void guest_main(void)
{
	mmu_on();
	SYSREG_WRITE(pmcr_el0, PMCR_E | PMCR_LC);
	SYSREG_WRITE(pmcntenset_el0, CYCLE_COUNTER);
	for (uint64_t open = 0; open < ANY; open++)
		expect(open);
}
