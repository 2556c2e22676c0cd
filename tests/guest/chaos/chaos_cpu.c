/* Calls, exceptions at EL1, registers that do not trap, and the debug registers. */
#include "tests/guest/chaos/chaos.h"
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/psci.h"

enum { MDSCR_KDE = 1 << 13, MDSCR_MDE = 1 << 15, BCR_WORD = 0xf << 5 | 3 << 1 | 1, WCR_STORE = 0xff << 5 | 3 << 1 | 1 };
enum { EC_INSTRUCTION_ABORT = 0x21 };
#define UNMAPPED  UINT64_C(0x6000000000)
#define WCR_WRITE (UINT64_C(2) << 3)

static uint64_t sync_count[SMP_MAX];
static bool sync_expected[SMP_MAX];
static volatile uint64_t watched_by[SMP_MAX][8];

static bool on_sync(struct exception_frame *frame, uint64_t esr, uint64_t far)
{
	uint32_t class = ESR_EC(esr);
	if (!sync_expected[smp_self()])
		return false;
	sync_count[smp_self()]++;
	chaos_see(esr);
	chaos_see(frame->pc);
	if (class == EC_DATA_ABORT || class == EC_WATCHPOINT || class == EC_INSTRUCTION_ABORT)
		chaos_see(far);
	if (class == EC_INSTRUCTION_ABORT)
		frame->pc = frame->x[30];
	else if (class != EC_SVC)
		frame->pc += 4;
	return true;
}

void chaos_sync_init(void)
{
	exception_on_sync = on_sync;
}

void chaos_sync_begin(void)
{
	sync_expected[smp_self()] = true;
	sync_count[smp_self()] = 0;
}

uint64_t chaos_sync_end(void)
{
	uint64_t count = sync_count[smp_self()];
	sync_expected[smp_self()] = false;
	chaos_see(count);
	return count;
}

static uint64_t smc(uint64_t function)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = 0;
	__asm__ volatile("smc #0"
			 : "+r"(x0), "+r"(x1)
			 :
			 : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
			   "x16", "x17", "memory");
	return x0;
}

void chaos_call(void)
{
	static const uint64_t functions[] = {PSCI_ID_VERSION,
					     PSCI_ID_CPU_ON,
					     PSCI_ID_AFFINITY_INFO,
					     PSCI_ID_MIGRATE_INFO_TYPE,
					     PSCI_ID_FEATURES,
					     0x80000000,
					     0x8400000e,
					     0xc4000012,
					     0xdeadbeef};
	chaos_sync_begin(); /* plain QEMU takes PSCI by HVC only */
	for (uint64_t count = 1 + chaos_pick(4); count != 0; count--) {
		uint64_t function = functions[chaos_pick(sizeof(functions) / sizeof(functions[0]))];
		uint64_t argument = function == PSCI_ID_CPU_ON ? smp_self() + chaos_pick(2) * 16 : chaos_pick(3);
		if (chaos_pick(2) == 0) /* CPU_ON for itself or nobody: chaos_power does it in earnest */
			chaos_see((uint64_t)psci_call(function, argument, 0, 0));
		else
			chaos_see(smc(function));
	}
	chaos_sync_end();
}

static void fault_once(uint64_t kind)
{
	uint64_t value = 0;
	switch (kind) {
	case 0:
		__asm__ volatile("udf #7" ::: "memory");
		break;
	case 1:
		__asm__ volatile("svc #0x77" ::: "memory");
		break;
	case 2:
		__asm__ volatile("ldr %0, [%1]"
				 : "+r"(value)
				 : "r"((uint64_t)NOTHING + chaos_pick(512) * 8)
				 : "memory");
		break;
	case 3:
		__asm__ volatile("str %0, [%1]" ::"r"(value), "r"(UNMAPPED + chaos_pick(512) * 8) : "memory");
		break;
	case 4:
		__asm__ volatile("ldr %w0, [%1]" : "+r"(value) : "r"((uint64_t)UART + 0xfe1) : "memory");
		break;
	case 5:
		__asm__ volatile("blr %0" ::"r"((uint64_t)NOTHING) : "x30", "memory");
		break;
	case 6:
		__asm__ volatile("mrs %0, s3_1_c15_c2_1" : "+r"(value)::"memory");
		break;
	case 7:
		__asm__ volatile("brk #3" ::: "memory");
		break;
	case 8:
		__asm__ volatile("blr %0" ::"r"((uint64_t)UNMAPPED) : "x30", "memory");
		break;
	default:
		__asm__ volatile("mrs %0, hcr_el2" : "+r"(value)::"memory");
		break;
	}
	chaos_see(value);
}

void chaos_fault(void)
{
	chaos_sync_begin();
	for (uint64_t count = 1 + chaos_pick(4); count != 0; count--)
		fault_once(chaos_pick(10));
	chaos_sync_end();
}

/* What a checkpoint has to hold: written now, read at the next such move. */
#define EXCHANGE(name, value)                                                                                          \
	do {                                                                                                           \
		chaos_see(SYSREG_READ(name));                                                                          \
		SYSREG_WRITE(name, value);                                                                             \
	} while (0)

void chaos_registers(void)
{
	EXCHANGE(tpidr_el0, chaos_random());
	EXCHANGE(tpidr_el1, chaos_random());
	EXCHANGE(tpidrro_el0, chaos_random());
	EXCHANGE(contextidr_el1, chaos_pick(UINT64_C(1) << 32));
	EXCHANGE(sp_el0, chaos_random());
	EXCHANGE(csselr_el1, chaos_pick(4));
	EXCHANGE(par_el1, chaos_random());
	EXCHANGE(afsr0_el1, chaos_random());
	EXCHANGE(amair_el1, chaos_random());
	EXCHANGE(s3_0_c12_c1_1, chaos_random()); /* DISR_EL1 */
	EXCHANGE(cntkctl_el1, chaos_pick(0x400));
	EXCHANGE(fpcr, chaos_random() & 0x07f79f00);
	EXCHANGE(fpsr, chaos_random() & 0xf800009f);
	isb(); /* in force */
	chaos_see(SYSREG_READ(ccsidr_el1));
	chaos_see(SYSREG_READ(id_aa64isar0_el1));
	chaos_see(SYSREG_READ(ctr_el0));
	chaos_see(SYSREG_READ(mpidr_el1));
}

void chaos_debug_registers(void)
{
	chaos_sync_begin(); /* QEMU 7.2 has no claim bits */
	switch (chaos_pick(6)) {
	case 0:
		chaos_see(SYSREG_READ(mdscr_el1));
		break;
	case 1:
		SYSREG_WRITE(oslar_el1, chaos_pick(2));
		break;
	case 2:
		SYSREG_WRITE(dbgbvr3_el1, chaos_random());
		chaos_see(SYSREG_READ(dbgbvr3_el1));
		chaos_see(SYSREG_READ(dbgbcr3_el1));
		break;
	case 3:
		SYSREG_WRITE(dbgclaimset_el1, chaos_pick(256));
		chaos_see(SYSREG_READ(dbgclaimclr_el1));
		SYSREG_WRITE(dbgclaimclr_el1, chaos_pick(256));
		break;
	case 4:
		chaos_see(SYSREG_READ(oslsr_el1));
		chaos_see(SYSREG_READ(mdccsr_el0));
		break;
	default:
		SYSREG_WRITE(osdlr_el1, chaos_pick(2));
		chaos_see(SYSREG_READ(osdlr_el1));
		SYSREG_WRITE(mdscr_el1, chaos_pick(4) << 12);
		break;
	}
	isb(); /* in force */
	chaos_sync_end();
	chaos_see(SYSREG_READ(cntvct_el0));
}

/* A loop with one breakpoint and one watchpoint in it, some turns with debug exceptions masked. */
void chaos_breakpoint(void)
{
	uint64_t at, turns = 1 + chaos_pick(6);
	bool locked = chaos_pick(4) == 0, masked = chaos_pick(2);
	volatile uint64_t *watched = watched_by[smp_self()];
	chaos_sync_begin();
	SYSREG_WRITE(oslar_el1, locked);
	SYSREG_WRITE(dbgwvr1_el1, (uint64_t)&watched[3]);
	SYSREG_WRITE(dbgwcr1_el1, chaos_pick(2) ? WCR_STORE | WCR_WRITE : 0);
	SYSREG_WRITE(mdscr_el1, MDSCR_MDE | MDSCR_KDE);
	__asm__ volatile("adr %0, 2f\n"
			 "	msr	dbgbvr1_el1, %0\n"
			 "	msr	dbgbcr1_el1, %3\n"
			 "	isb\n"
			 "	cbnz	%w4, 1f\n"
			 "	msr	daifclr, #8\n"
			 "1:	sub	%1, %1, #1\n"
			 "2:	nop\n"
			 "	str	%1, [%2, #24]\n"
			 "	str	%1, [%2, #32]\n"
			 "	cbnz	%1, 1b\n"
			 "	msr	daifset, #8\n"
			 : "=&r"(at), "+r"(turns)
			 : "r"(watched), "r"(chaos_pick(4) ? (uint64_t)BCR_WORD : UINT64_C(0)), "r"((uint32_t)masked)
			 : "memory");
	SYSREG_WRITE(dbgbcr1_el1, 0);
	SYSREG_WRITE(dbgwcr1_el1, 0);
	SYSREG_WRITE(mdscr_el1, 0);
	isb(); /* off */
	chaos_sync_end();
	chaos_see(watched[3]);
	chaos_see(SYSREG_READ(cntvct_el0));
}
