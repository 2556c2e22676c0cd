/* Page tables with 39-bit addresses (T0SZ 25), so that the walk starts at level 1. Arm ARM D8.3. */
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/guest.h"

enum { ENTRY_COUNT = 512, CACHE_LINE_BYTES_MIN = 16 };

#define DESCRIPTOR_BLOCK UINT64_C(1)
#define DESCRIPTOR_TABLE UINT64_C(3)
#define ATTRIBUTE_NORMAL (UINT64_C(1) << 2)
#define USER_ACCESS      (UINT64_C(1) << 6)
#define INNER_SHAREABLE  (UINT64_C(3) << 8)
#define ACCESS_FLAG      (UINT64_C(1) << 10)
#define PXN              (UINT64_C(1) << 53)
#define UXN              (UINT64_C(1) << 54)
#define BLOCK_BYTES      UINT64_C(0x200000)

#define MAIR_VALUE UINT64_C(0xff04) /* 0: device nGnRE, 1: normal write-back */
/* T0SZ 25, write-back and inner shareable walks, 4 KiB, no TTBR1 walks, 40-bit addresses */
#define TCR_VALUE   (UINT64_C(25) | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | UINT64_C(2) << 32)
#define SCTLR_M_C_I (UINT64_C(1) | 1 << 2 | 1 << 12)

static uint64_t level1[ENTRY_COUNT] __attribute__((aligned(4096)));
static uint64_t level2[ENTRY_COUNT] __attribute__((aligned(4096)));

static void fill_tables(void)
{
	level1[0] = DESCRIPTOR_BLOCK | ACCESS_FLAG | PXN | UXN;
	level1[1] = (uint64_t)level2 | DESCRIPTOR_TABLE;
	for (uint64_t i = 0; i < ENTRY_COUNT; i++) {
		uint64_t address = RAM + i * BLOCK_BYTES;
		level2[i] = address | DESCRIPTOR_BLOCK | ATTRIBUTE_NORMAL | INNER_SHAREABLE | ACCESS_FLAG;
		level2[i] |= address == MMU_USER ? USER_ACCESS | PXN : UXN;
	}
}

uint64_t *mmu_level1(void)
{
	return level1;
}

void mmu_join(void)
{
	SYSREG_WRITE(mair_el1, MAIR_VALUE);
	SYSREG_WRITE(tcr_el1, TCR_VALUE);
	SYSREG_WRITE(ttbr0_el1, (uint64_t)level1);
	__asm__ volatile("dsb sy\n tlbi vmalle1\n dsb sy\n isb" ::: "memory"); /* nothing stale when the MMU comes on */
	SYSREG_WRITE(sctlr_el1, SYSREG_READ(sctlr_el1) | SCTLR_M_C_I);
	isb();
}

void mmu_on(void)
{
	fill_tables();
	mmu_join();
}

void mmu_code_written(uint64_t address, size_t bytes)
{
	uint64_t end = address + bytes;
	for (uint64_t at = address; at < end; at += CACHE_LINE_BYTES_MIN)
		__asm__ volatile("dc cvau, %0" ::"r"(at) : "memory");
	dsb(); /* the data is at the point of unification before the instruction cache is told */
	for (uint64_t at = address; at < end; at += CACHE_LINE_BYTES_MIN)
		__asm__ volatile("ic ivau, %0" ::"r"(at) : "memory");
	dsb();
	isb(); /* nothing fetched earlier is left */
}
