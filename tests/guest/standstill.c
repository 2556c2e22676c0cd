/* Ways to die that leave nothing to run: exceptions whose handler takes the next one at once. The argument names one.
 * Each prints its name, works a little, and dies at standstill_bug, or in what that leads to. */
#include "tests/guest/lib/dtb.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"

const char guest_name[] = "standstill";

enum {
	FLASH = 0x04000000,
	HOLE = 0x18000000, /* nothing is there */
	SPSR_EL0 = 0x3c0,  /* all masked */
	SPSR_EL1 = 0x3c5,  /* all masked */
	SPSR_EL3 = 0x3cc,  /* no level to return to */
	MDSCR_SS = 1,
	MDSCR_KDE = 1 << 13,
	MDSCR_MDE = 1 << 15,
	BREAKPOINT = 0xf << 5 | 3 << 1 | 1, /* a word, at EL1 and EL0, on */
	SCTLR_A_SA = 1 << 1 | 1 << 3,
};
#define PAST_RAM UINT64_C(0x7f000000)
#define UNMAPPED UINT64_C(0x80000000) /* with the MMU on */

/* A vector table with these instructions for exceptions from EL1 and from EL0. */
#define VECTORS(name, from_el1, from_el0)                                                                              \
	__asm__(".text\n.balign 2048\n" #name ":\n.org " #name " + 0x200\n" from_el1 "\n.org " #name                   \
		" + 0x400\n" from_el0 "\n.org " #name " + 0x800\n");                                                   \
	extern const char name[]

VECTORS(undefined, "udf #0", "");
VECTORS(calls, "svc #0", "");
VECTORS(breaks, "brk #0", "");
VECTORS(denied, "mrs x0, s3_0_c15_c0_0", "");
VECTORS(spins, "b .", "");
VECTORS(pushes, "str x0, [sp, #-16]!", "");
VECTORS(jumps, "br x20", "");
VECTORS(returns, "eret", "eret");
VECTORS(chained, "b . + 0x80\n.org chained + 0x280\nb . - 0x80", "");
VECTORS(works, "add x21, x21, #1\nadd x22, x22, #1\nldr x0, [x20]", "");

__asm__(".text\n"
	"standstill_bug:\n"
	"	udf	#0\n"
	"user_bug:\n"
	"	udf	#0\n"
	"user_read:\n"
	"	ldr	x0, [x20]\n"
	"store_exclusive:\n"
	"	ldxr	w0, [x20]\n"
	"	stxr	w1, w0, [x20]\n"
	"	cbnz	w1, store_exclusive\n");
extern const char standstill_bug[], user_bug[], user_read[];

static void die(const void *vectors, uint64_t x20, uint64_t sp)
{
	SYSREG_WRITE(vbar_el1, vectors);
	isb();
	for (volatile uint32_t i = 0; i < 3000; i++)
		;
	__asm__ volatile("mov x20, %0\n mov x21, #0\n mov x22, #0\n mov sp, %1\n b standstill_bug" ::"r"(x20), "r"(sp)
			 : "memory", "x20", "x21", "x22");
}

static void die_by_return(const void *vectors, uint64_t spsr, const char *to)
{
	SYSREG_WRITE(vbar_el1, vectors);
	SYSREG_WRITE(spsr_el1, spsr);
	SYSREG_WRITE(elr_el1, to);
	isb();
	__asm__ volatile("mov x20, %0\n eret" ::"r"((uint64_t)HOLE) : "memory", "x20");
}

static void no_vectors(void)
{
	die(NULL, 0, 0);
}

static void undefined_instruction(void)
{
	die(undefined, 0, 0);
}

static void system_call(void)
{
	die(calls, 0, 0);
}

static void breakpoint_instruction(void)
{
	die(breaks, 0, 0);
}

static void denied_register(void)
{
	die(denied, 0, 0);
}

static void endless_branch(void)
{
	die(spins, 0, 0);
}

static void bad_stack(void)
{
	die(pushes, 0, HOLE);
}

static void bad_stack_unmapped(void)
{
	mmu_on();
	die(pushes, 0, UNMAPPED + 0x1000);
}

static void unaligned_stack(void)
{
	SYSREG_WRITE(sctlr_el1, SYSREG_READ(sctlr_el1) | SCTLR_A_SA);
	die(pushes, 0, RAM + 0x1004);
}

static void vectors_in_device(void)
{
	die((const void *)UART, 0, 0);
}

static void vectors_in_flash(void)
{
	die((const void *)FLASH, 0, 0);
}

static void vectors_past_ram(void)
{
	die((const void *)PAST_RAM, 0, 0);
}

static void vectors_unmapped(void)
{
	mmu_on();
	die((const void *)UNMAPPED, 0, 0);
}

static void vectors_not_executable(void)
{
	mmu_on();
	die((const void *)UART, 0, 0);
}

static void branch_to_nothing(void)
{
	die(jumps, HOLE, 0);
}

static void branch_to_unmapped(void)
{
	mmu_on();
	die(jumps, UNMAPPED, 0);
}

static void vectors_in_a_circle(void)
{
	die(chained, 0, 0);
}

static void two_instructions(void)
{
	die(works, HOLE, 0);
}

static void between_el0_and_el1(void)
{
	die_by_return(returns, SPSR_EL0, user_bug);
}

static void between_el0_and_el1_by_abort(void)
{
	die_by_return(returns, SPSR_EL0, user_read);
}

static void return_to_illegal_state(void)
{
	die_by_return(returns, SPSR_EL3, standstill_bug);
}

static void return_to_unmapped(void)
{
	mmu_on();
	die_by_return(returns, SPSR_EL1, (const char *)UNMAPPED);
}

static void tables_in_nothing(void)
{
	mmu_on();
	SYSREG_WRITE(ttbr0_el1, HOLE);
	__asm__ volatile("dsb sy\n tlbi vmalle1\n dsb sy\n isb" ::: "memory"); /* the old tables hold no more */
}

/* The guest has a breakpoint at its vector, masked as in every exception handler. */
static void masked_breakpoint(void)
{
	mmu_on();
	SYSREG_WRITE(oslar_el1, 0);
	SYSREG_WRITE(dbgbvr0_el1, UNMAPPED + 0x200);
	SYSREG_WRITE(dbgbcr0_el1, BREAKPOINT);
	SYSREG_WRITE(mdscr_el1, MDSCR_MDE | MDSCR_KDE);
	die((const void *)UNMAPPED, 0, 0);
}

static void masked_step(void)
{
	SYSREG_WRITE(oslar_el1, 0);
	__asm__ volatile("msr daifset, #15");
	SYSREG_WRITE(mdscr_el1, MDSCR_SS | MDSCR_KDE);
	die(undefined, 0, 0);
}

#define DEATH(name)                                                                                                    \
	{                                                                                                              \
#name, name                                                                                            \
	}
static const struct {
	const char *name;
	void (*die)(void);
} deaths[] = {
	DEATH(no_vectors),
	DEATH(undefined_instruction),
	DEATH(system_call),
	DEATH(breakpoint_instruction),
	DEATH(denied_register),
	DEATH(endless_branch),
	DEATH(bad_stack),
	DEATH(bad_stack_unmapped),
	DEATH(unaligned_stack),
	DEATH(vectors_in_device),
	DEATH(vectors_in_flash),
	DEATH(vectors_past_ram),
	DEATH(vectors_unmapped),
	DEATH(vectors_not_executable),
	DEATH(branch_to_nothing),
	DEATH(branch_to_unmapped),
	DEATH(vectors_in_a_circle),
	DEATH(two_instructions),
	DEATH(between_el0_and_el1),
	DEATH(between_el0_and_el1_by_abort),
	DEATH(return_to_illegal_state),
	DEATH(return_to_unmapped),
	DEATH(tables_in_nothing),
	DEATH(masked_breakpoint),
	DEATH(masked_step),
};

static bool is_equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

void guest_main(void)
{
	uint32_t bytes;
	const uint8_t *wanted = dtb_property("chosen", "bootargs", &bytes);
	for (size_t i = 0; wanted && i < sizeof(deaths) / sizeof(deaths[0]); i++) {
		if (!is_equal((const char *)wanted, deaths[i].name))
			continue;
		print("standstill: ");
		print(deaths[i].name);
		print("\n");
		deaths[i].die();
		guest_end("it lives on");
	}
	guest_end("name one");
}
