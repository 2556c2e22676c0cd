/* Memory: exclusives, code that changes, page tables that change (with the maintenance that they need), caches,
 * accesses across pages, and SIMD. A window of WINDOW_PAGES pages at window() is mapped to pages of `arena`, which all
 * CPUs share; each has its own window. */
#include "tests/guest/chaos/chaos.h"
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"

enum { PAGE_BYTES = 4096, ARENA_PAGES = 64, WINDOW_PAGES = 16, ENTRY_COUNT = 512, CODE_WORDS = 2048 };
#define WINDOW_INDEX    8 /* of 1 GiB entries: the first CPU's */
#define TABLE           UINT64_C(3)
#define PAGE            (UINT64_C(3) | 1 << 2 | 3 << 8 | 1 << 10 | UINT64_C(1) << 54) /* normal, shared, accessed, UXN */
#define PAGE_READ_ONLY  (UINT64_C(1) << 7)
#define PAGE_PRIVATE    (UINT64_C(1) << 11) /* of one ASID */
#define TTBR_ASID(asid) ((uint64_t)(asid) << 48)
#define MOVZ_W0(value)  (0x52800000u | (uint32_t)(value) << 5)
#define RET             0xd65f03c0u

static uint8_t arena[ARENA_PAGES * PAGE_BYTES] __attribute__((aligned(4096)));
static uint64_t level2_of[SMP_MAX][ENTRY_COUNT] __attribute__((aligned(4096)));
static uint64_t level3_of[SMP_MAX][ENTRY_COUNT] __attribute__((aligned(4096)));
static uint32_t code_of[SMP_MAX][CODE_WORDS] __attribute__((aligned(4096)));
static uint64_t locks[1024] __attribute__((aligned(4096))); /* of all CPUs */
static uint64_t asids[SMP_MAX];

static uint64_t window(void)
{
	return (UINT64_C(WINDOW_INDEX) + smp_self()) << 30;
}

static uint64_t arena_page(void)
{
	return (uint64_t)arena + chaos_pick(ARENA_PAGES) * PAGE_BYTES;
}

void chaos_memory_init(void)
{
	for (uint32_t cpu = 0; cpu < SMP_MAX; cpu++) {
		for (uint64_t i = 0; i < WINDOW_PAGES; i++)
			level3_of[cpu][i] = arena_page() | PAGE;
		level2_of[cpu][0] = (uint64_t)level3_of[cpu] | TABLE;
		mmu_level1()[WINDOW_INDEX + cpu] = (uint64_t)level2_of[cpu] | TABLE;
	}
	__asm__ volatile("dsb ishst\n isb" ::: "memory"); /* the walk finds them */
}

void chaos_memory_join(void)
{
	asids[smp_self()] = 0;
	SYSREG_WRITE(cpacr_el1, UINT64_C(3) << 20);
	isb(); /* in force */
}

static uint64_t add_exclusive(uint64_t *at)
{
	uint64_t value, tries = 0;
	uint32_t failed;
	__asm__ volatile("1: add %2, %2, #1\n ldaxr %0, [%3]\n add %0, %0, #3\n nop\n eor %0, %0, %0, lsr #5\n"
			 " stlxr %w1, %0, [%3]\n cbnz %w1, 1b"
			 : "=&r"(value), "=&r"(failed), "+r"(tries)
			 : "r"(at)
			 : "memory");
	return value ^ tries;
}

static uint64_t add_pair(uint64_t *at)
{
	uint64_t low, high, tries = 0;
	uint32_t failed;
	__asm__ volatile("1: add %3, %3, #1\n ldxp %0, %1, [%4]\n add %0, %0, #1\n add %1, %1, %0\n"
			 " stxp %w2, %0, %1, [%4]\n cbnz %w2, 1b"
			 : "=&r"(low), "=&r"(high), "=&r"(failed), "+r"(tries)
			 : "r"(at)
			 : "memory");
	return high ^ tries;
}

static uint64_t add_atomic(uint64_t *at)
{
	uint64_t old, seen = *at;
	__asm__ volatile(".arch_extension lse\n ldadd %2, %0, [%3]\n cas %1, %2, [%3]\n swp %2, %1, [%3]"
			 : "=&r"(old), "+r"(seen)
			 : "r"(chaos_random()), "r"(at)
			 : "memory");
	return old ^ seen;
}

void chaos_exclusive(void)
{
	for (uint64_t count = 1 + chaos_pick(200); count != 0; count--) {
		uint64_t *at = &locks[chaos_pick(1024) & ~UINT64_C(1)];
		switch (chaos_pick(3)) {
		case 0:
			chaos_see(add_exclusive(at));
			break;
		case 1:
			chaos_see(add_pair(at));
			break;
		default:
			chaos_see(add_atomic(at));
			break;
		}
	}
	__asm__ volatile("clrex" ::: "memory");
}

static uint64_t run(const uint32_t *at)
{
	register uint64_t x0 __asm__("x0");
	__asm__ volatile("blr %1" : "=r"(x0) : "r"(at) : "x30", "memory");
	return x0;
}

void chaos_code(void)
{
	uint32_t *code = code_of[smp_self()];
	for (uint64_t count = 1 + chaos_pick(3); count != 0; count--) {
		uint64_t at = chaos_pick(2) ? CODE_WORDS / 2 - 1 : chaos_pick(CODE_WORDS - 1);
		code[at] = MOVZ_W0(chaos_pick(0x10000));
		code[at + 1] = RET;
		mmu_code_written((uint64_t)&code[at], 8);
		chaos_see(run(&code[at]));
	}
}

static void forget(uint64_t va)
{
	uint64_t page = va >> 12;
	__asm__ volatile("dsb ishst" ::: "memory"); /* the table is written */
	switch (chaos_pick(5)) {
	case 0:
		__asm__ volatile("tlbi vaae1is, %0" ::"r"(page) : "memory");
		break;
	case 1:
		__asm__ volatile("tlbi vaale1, %0" ::"r"(page) : "memory");
		break;
	case 2:
		__asm__ volatile("tlbi vmalle1" ::: "memory");
		break;
	case 3:
		__asm__ volatile("tlbi vae1is, %0" ::"r"(page | TTBR_ASID(asids[smp_self()])) : "memory");
		break;
	default:
		__asm__ volatile("tlbi vmalle1is" ::: "memory");
		break;
	}
	__asm__ volatile("dsb ish\n isb" ::: "memory"); /* nothing stale is left */
}

/* An access that may fault; the handler skips it. */
static void touch(uint64_t va)
{
	uint64_t value = 0;
	__asm__ volatile("ldr %0, [%1]" : "+r"(value) : "r"(va) : "memory");
	chaos_see(value);
	__asm__ volatile("str %0, [%1, #8]" ::"r"(value + va), "r"(va) : "memory");
	__asm__ volatile("at s1e1w, %0\n isb" ::"r"(va) : "memory");
	chaos_see(SYSREG_READ(par_el1));
}

static void asid_switch(void)
{
	uint64_t asid = asids[smp_self()] = chaos_pick(4);
	SYSREG_WRITE(ttbr0_el1, (SYSREG_READ(ttbr0_el1) & UINT64_C(0xffffffffffff)) | TTBR_ASID(asid));
	isb(); /* in force */
}

/* Break before make; all ASIDs share the tables, so a private page changes with one of them current. */
void chaos_pages(void)
{
	uint64_t *level3 = level3_of[smp_self()];
	chaos_sync_begin();
	for (uint64_t count = 1 + chaos_pick(4); count != 0; count--) {
		uint64_t page = chaos_pick(WINDOW_PAGES), va = window() + page * PAGE_BYTES + chaos_pick(510) * 8;
		touch(va);
		level3[page] = 0;
		forget(va);
		__asm__ volatile("tlbi vaae1, %0\n dsb ish\n isb" ::"r"(va >> 12) : "memory"); /* of the other ASIDs */
		if (chaos_pick(4) == 0)
			touch(va);
		level3[page] =
			arena_page() | PAGE | (chaos_pick(4) ? 0 : PAGE_READ_ONLY) | (chaos_pick(2) ? 0 : PAGE_PRIVATE);
		__asm__ volatile("dsb ishst\n isb" ::: "memory"); /* the walk finds it */
		touch(va);
		if (chaos_pick(3) == 0)
			asid_switch();
	}
	chaos_sync_end();
}

void chaos_cache(void)
{
	uint64_t at = arena_page() + chaos_pick(64) * 64;
	switch (chaos_pick(7)) {
	case 0:
		__asm__ volatile("dc zva, %0" ::"r"(at) : "memory");
		break;
	case 1:
		__asm__ volatile("dc civac, %0" ::"r"(at) : "memory");
		break;
	case 2:
		__asm__ volatile("dc cvac, %0" ::"r"(at) : "memory");
		break;
	case 3:
		__asm__ volatile("dc ivac, %0" ::"r"(at) : "memory");
		break;
	case 4:
		__asm__ volatile("ic iallu\n dsb sy\n isb" ::: "memory");
		break;
	case 5:
		__asm__ volatile("dc isw, xzr\n dc cisw, xzr" ::: "memory");
		break;
	default:
		__asm__ volatile("ic ialluis\n dsb ish\n isb" ::: "memory");
		break;
	}
	dsb();
	chaos_see(*(volatile uint64_t *)at);
}

/* In the window neighbours are anywhere, so an access across their border is two. */
void chaos_boundary(void)
{
	chaos_sync_begin();
	for (uint64_t count = 1 + chaos_pick(6); count != 0; count--) {
		uint64_t at = window() + (1 + chaos_pick(WINDOW_PAGES - 1)) * PAGE_BYTES - 1 - chaos_pick(16);
		uint64_t low = chaos_random(), high = 0;
		switch (chaos_pick(5)) {
		case 0:
			__asm__ volatile("str %0, [%1]" ::"r"(low), "r"(at) : "memory");
			break;
		case 1:
			__asm__ volatile("stp %0, %1, [%2]" ::"r"(low), "r"(high), "r"(at) : "memory");
			break;
		case 2:
			__asm__ volatile("ldp %0, %1, [%2]" : "+r"(low), "+r"(high) : "r"(at) : "memory");
			break;
		case 3:
			__asm__ volatile(".arch_extension simd\n ldr q7, [%1]\n fmov %0, d7"
					 : "+r"(low)
					 : "r"(at)
					 : "memory");
			break;
		default:
			__asm__ volatile("ldrh %w0, [%1]" : "+r"(low) : "r"(at) : "memory");
			break;
		}
		chaos_see(low ^ high);
	}
	chaos_sync_end();
}

void chaos_write(void)
{
	for (uint64_t count = 1 + chaos_pick(4); count != 0; count--) {
		uint64_t *to = (uint64_t *)arena_page();
		const uint64_t *from = (const uint64_t *)arena_page();
		uint64_t words = chaos_pick(PAGE_BYTES / 8), add = chaos_random();
		for (uint64_t i = 0; i < words; i++)
			to[i] = from[i] + add;
	}
}

void chaos_simd(void)
{
	uint64_t low, high, at = arena_page();
	__asm__ volatile(".arch_extension simd\n"
			 "	fmov	x9, d1\n"
			 "	fmov	%0, d31\n"
			 "	mov	%1, v17.d[1]\n"
			 "	eor	%0, %0, x9\n"
			 "	dup	v17.2d, %2\n"
			 "	ld1	{v1.16b, v2.16b, v3.16b}, [%3]\n"
			 "	add	v31.2d, v17.2d, v2.2d\n"
			 "	scvtf	d4, %2\n"
			 "	fsqrt	d4, d4\n"
			 "	fdiv	d5, d4, d17\n"
			 "	st1	{v31.2d}, [%3]\n"
			 : "=&r"(low), "=&r"(high)
			 : "r"(chaos_random()), "r"(at)
			 : "memory", "x9");
	chaos_see(low);
	chaos_see(high);
	chaos_see(SYSREG_READ(fpsr));
}
