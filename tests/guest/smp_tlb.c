/* Translations and code that one CPU changes while others use them.
 *
 * Shared pages: CPU 0 maps another page (break before make, with each broadcast TLBI), and what is in the old one is
 * wrong from then on: nobody reads it any more. Own tables: each CPU has its own TTBR0 and sees its own page, with
 * ASIDs of its own, with one ASID for all, and while CPU 0 changes the others' mappings. Code: CPU 0 writes
 * instructions that the others call, behind a flag, and behind an SGI; and swaps one that they run at the time.
 *
 * Argument: ROUNDS, decimal: of each part. */
#include "tests/guest/lib/arguments.h"
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/smp.h"

const char guest_name[] = "smp_tlb";

enum { PAGE_BYTES = 4096, ENTRY_COUNT = 512, PAGE_COUNT = 8, ROUNDS_DEFAULT = 120, SGI = 2, TLBI_COUNT = 4 };
#define WINDOW       UINT64_C(0x200000000)
#define WINDOW_INDEX 8 /* of 1 GiB entries */
#define TABLE        UINT64_C(3)
/* normal, shared, accessed, not for execution at EL0 */
#define PAGE           (UINT64_C(3) | 1 << 2 | 3 << 8 | 1 << 10 | UINT64_C(1) << 54)
#define PAGE_PRIVATE   (UINT64_C(1) << 11) /* of one ASID */
#define WRONG          UINT64_C(0xbad0bad0bad0bad0)
#define NOTHING_READ   UINT64_C(0x5555)
#define MOVZ_W0(value) (0x52800000u | (uint32_t)(value) << 5)
#define RET            0xd65f03c0u
#define NOP            0xd503201fu
#define BRANCH_3       0x14000003u /* three instructions on */

struct tables {
	uint64_t level1[ENTRY_COUNT], level2[ENTRY_COUNT], level3[ENTRY_COUNT];
} __attribute__((aligned(4096)));

static struct tables own[SMP_MAX]; /* own[0] is for the window that all share, too */
static volatile uint64_t arena[SMP_MAX * PAGE_COUNT][PAGE_BYTES / 8] __attribute__((aligned(4096)));
static uint32_t code[PAGE_BYTES / 4] __attribute__((aligned(4096)));
static uint64_t rounds, fault_counts[SMP_MAX], sgi_counts[SMP_MAX], turn, done, over;
static uint32_t cpu_count;
static struct smp_barrier all;

static bool skip_fault(struct exception_frame *frame, uint64_t esr, uint64_t far)
{
	if (ESR_EC(esr) != EC_DATA_ABORT || far < WINDOW || far >= WINDOW + PAGE_COUNT * PAGE_BYTES)
		return false;
	fault_counts[smp_self()]++;
	frame->pc += 4;
	return true;
}

static void take_sgi(uint32_t intid)
{
	CHECK(intid == SGI, "wrong interrupt number");
	sgi_counts[smp_self()]++;
}

static void yield(void)
{
	__asm__ volatile("yield" ::: "memory");
}

static uint64_t read_window(uint32_t page)
{
	uint64_t value = NOTHING_READ;
	__asm__ volatile("ldr %0, [%1]" : "+r"(value) : "r"(WINDOW + page * PAGE_BYTES) : "memory");
	return value;
}

static void tlbi(uint64_t way, uint32_t page, uint64_t asid)
{
	uint64_t va = (WINDOW >> 12) + page, named = va | asid << 48;
	__asm__ volatile("dsb ishst" ::: "memory"); /* the table is written */
	if (way % TLBI_COUNT == 0)
		__asm__ volatile("tlbi vaae1is, %0" ::"r"(va) : "memory");
	else if (way % TLBI_COUNT == 1)
		__asm__ volatile("tlbi vae1is, %0" ::"r"(named) : "memory");
	else if (way % TLBI_COUNT == 2)
		__asm__ volatile("tlbi aside1is, %0" ::"r"(asid << 48) : "memory");
	else
		__asm__ volatile("tlbi vmalle1is" ::: "memory");
	__asm__ volatile("dsb ish\n isb" ::: "memory"); /* no CPU has the translation any more */
}

static void map(struct tables *tables, uint32_t page, uint64_t to, uint64_t more)
{
	*(volatile uint64_t *)&tables->level3[page] = to | PAGE | more;
	__asm__ volatile("dsb ishst\n isb" ::: "memory"); /* walks find it */
}

static void unmap(struct tables *tables, uint32_t page, uint64_t way, uint64_t asid)
{
	*(volatile uint64_t *)&tables->level3[page] = 0;
	tlbi(way, page, asid);
}

/* ---- pages that all share ---- */

static void shared_change(void)
{
	for (uint64_t round = 0; round < rounds; round++) {
		uint32_t page = (uint32_t)round % PAGE_COUNT, old = (uint32_t)(round / PAGE_COUNT) % 2;
		volatile uint64_t *from = arena[page * 2 + old], *to = arena[page * 2 + !old];
		*to = round;
		unmap(&own[0], page, round, 0);
		*from = WRONG;
		if (round % 3 == 0)
			CHECK(read_window(page) == NOTHING_READ, "what is not mapped was read");
		map(&own[0], page, (uint64_t)to, round & 1 ? PAGE_PRIVATE : 0);
		CHECK(read_window(page) == round, "another page than was mapped");
	}
	smp_set(&over, 1);
}

static void shared_read(void)
{
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		for (uint32_t page = 0; page < PAGE_COUNT; page++)
			CHECK(read_window(page) != WRONG, "a page that is not mapped any more was read");
		yield();
	}
}

static void shared_pages(uint32_t self)
{
	if (self == 0) {
		over = 0;
		for (uint32_t page = 0; page < PAGE_COUNT; page++)
			map(&own[0], page, (uint64_t)arena[page * 2], 0);
		own[0].level2[0] = (uint64_t)own[0].level3 | TABLE;
		mmu_level1()[WINDOW_INDEX] = (uint64_t)own[0].level2 | TABLE;
		dsb(); /* walks find it */
	}
	smp_barrier(&all, cpu_count, SMP_SPIN_WFE);
	if (self == 0)
		shared_change();
	else
		shared_read();
	smp_barrier(&all, cpu_count, SMP_SPIN_YIELD);
}

/* ---- tables of each CPU's own ---- */

static void own_tables(uint32_t self)
{
	struct tables *mine = &own[self];
	for (uint32_t i = 0; i < ENTRY_COUNT; i++)
		mine->level1[i] = mmu_level1()[i];
	mine->level1[WINDOW_INDEX] = (uint64_t)mine->level2 | TABLE;
	mine->level2[0] = (uint64_t)mine->level3 | TABLE;
	for (uint32_t page = 0; page < PAGE_COUNT; page++) {
		arena[self * PAGE_COUNT + page][0] = self * PAGE_COUNT + page;
		map(mine, page, (uint64_t)arena[self * PAGE_COUNT + page], PAGE_PRIVATE);
	}
}

/* Nothing that an ASID is used for now may be left of what it was used for before. */
static void own_enter(uint32_t self, uint64_t asid)
{
	SYSREG_WRITE(ttbr0_el1, (uint64_t)own[self].level1 | asid << 48);
	__asm__ volatile("isb\n tlbi vmalle1\n dsb nsh\n isb" ::: "memory"); /* in force */
}

/* All see their own pages, whatever the others do at the same addresses. */
static void own_pages(uint32_t self, uint64_t asid)
{
	smp_barrier(&all, cpu_count, SMP_SPIN_WFE);
	own_enter(self, asid);
	smp_barrier(&all, cpu_count, SMP_SPIN_WFE);
	for (uint64_t round = 0; round < rounds; round++) {
		uint32_t page = (uint32_t)round % PAGE_COUNT;
		CHECK(read_window(page) == self * PAGE_COUNT + page, "another CPU's page");
		if (round % 16 == 15)
			yield();
	}
}

/* CPU 0 takes a page away from another CPU and gives it back. While it has not got it, that CPU reads nothing. */
static void others_pages(uint32_t self)
{
	smp_barrier(&all, cpu_count, SMP_SPIN_WFE);
	for (uint64_t round = 0; self == 0 && round < rounds; round++) {
		uint32_t other = 1 + (uint32_t)round % (cpu_count - 1), page = (uint32_t)round / 8 % PAGE_COUNT;
		volatile uint64_t *old = arena[other * PAGE_COUNT + page];
		unmap(&own[other], page, round, other + 1);
		*old = WRONG;
		dsb(); /* wrong before anything follows */
		*old = other * PAGE_COUNT + page;
		map(&own[other], page, (uint64_t)old, PAGE_PRIVATE);
	}
	if (self == 0)
		smp_set(&over, 1);
	for (uint32_t page = 0; self != 0 && !__atomic_load_n(&over, __ATOMIC_ACQUIRE);
	     page = (page + 1) % PAGE_COUNT) {
		uint64_t value = read_window(page);
		CHECK(value == NOTHING_READ || value == self * PAGE_COUNT + page, "a page while it was not mapped");
		yield();
	}
	smp_barrier(&all, cpu_count, SMP_SPIN_YIELD);
}

/* ---- code ---- */

static uint64_t call(const uint32_t *at)
{
	register uint64_t x0 __asm__("x0");
	__asm__ volatile("blr %1" : "=r"(x0) : "r"(at) : "x30", "memory");
	return x0;
}

static void code_write(uint64_t round)
{
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t *at = &code[i * 64 + round % 8 * 2];
		at[0] = MOVZ_W0((round * 4 + i) & 0xffff);
		at[1] = RET;
		mmu_code_written((uint64_t)at, 8);
	}
}

static void code_call(uint64_t round)
{
	isb(); /* what was fetched before is fetched again */
	for (uint32_t i = 0; i < 4; i++)
		CHECK(call(&code[i * 64 + round % 8 * 2]) == ((round * 4 + i) & 0xffff), "old code was run");
}

/* The others learn of the new code by a flag, or by an SGI for which they sleep. */
static void code_behind(uint32_t self, bool by_sgi)
{
	for (uint64_t round = 1; round <= rounds; round++) {
		if (self == 0) {
			code_write(round);
			if (by_sgi)
				gic_send_others(SGI);
			else
				smp_set(&turn, round);
			smp_wait_for(&done, cpu_count - 1, SMP_SPIN_YIELD);
			done = 0;
		} else if (by_sgi) {
			while (*(volatile uint64_t *)&sgi_counts[self] != round) {
				wfi();
				irq_unmask();
				irq_mask();
			}
		} else {
			smp_wait_for(&turn, round, SMP_SPIN_WFE);
		}
		if (self == 0)
			continue;
		code_call(round);
		__atomic_add_fetch(&done, 1, __ATOMIC_ACQ_REL);
	}
	smp_barrier(&all, cpu_count, SMP_SPIN_YIELD);
}

/* NOP and B may be swapped while others run them (Arm ARM B2.2.5): they see either. */
static void code_swapped(uint32_t self)
{
	volatile uint32_t *at = &code[512];
	if (self == 0) {
		const uint32_t words[] = {NOP, MOVZ_W0(1), RET, MOVZ_W0(2), RET};
		for (uint32_t i = 0; i < 5; i++)
			at[i] = words[i];
		mmu_code_written((uint64_t)at, sizeof(words));
		over = 0;
	}
	smp_barrier(&all, cpu_count, SMP_SPIN_WFE);
	isb(); /* all fetch it anew */
	for (uint64_t round = 0; self == 0 && round < rounds; round++) {
		at[0] = round & 1 ? NOP : BRANCH_3;
		mmu_code_written((uint64_t)at, 4);
		CHECK(call((const uint32_t *)at) == (round & 1 ? 1 : 2), "old code was run by who changed it");
	}
	if (self == 0)
		smp_set(&over, 1);
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		uint64_t value = call((const uint32_t *)at);
		CHECK(value == 1 || value == 2, "code that is neither old nor new");
		yield();
	}
	smp_barrier(&all, cpu_count, SMP_SPIN_YIELD);
}

static void run(uint64_t cpu)
{
	uint32_t self = (uint32_t)cpu;
	if (self != 0)
		gic_join();
	gic_enable(SGI);
	shared_pages(self);
	own_tables(self);
	own_pages(self, 7);
	own_pages(self, self + 1);
	if (self == 0)
		over = 0;
	others_pages(self);
	SYSREG_WRITE(ttbr0_el1, (uint64_t)mmu_level1());
	isb(); /* in force */
	code_behind(self, false);
	code_behind(self, true);
	code_swapped(self);
}

void guest_main(void)
{
	rounds = argument_number(0, ROUNDS_DEFAULT);
	mmu_on();
	exception_on_sync = skip_fault;
	exception_on_irq = take_sgi;
	gic_init();
	cpu_count = smp_count();
	smp_start(run, 2);
	run(0);
	uint64_t faults = 0;
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
		faults += fault_counts[cpu];
	print_value("faults between break and make", faults);
}
