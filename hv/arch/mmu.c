/* hv's own translation: an identity map with code read-only, everything else not executable, devices uncached.
 * Made once at boot; it never changes afterwards. */
#include "hv/arch/mmu.h"
#include "hv/arch/pagetable.h"
#include "hv/arch/sysreg.h"

#define MAIR_NORMAL_THEN_DEVICE UINT64_C(0x00ff) /* index 0: write-back; index 1: nGnRnE */
#define TCR_EL2_RES1            (BIT(31) | BIT(23))
#define TCR_T0SZ_39_BITS        UINT64_C(25)
#define TCR_WRITE_BACK_SHARED   (UINT64_C(1) << 8 | UINT64_C(1) << 10 | UINT64_C(3) << 12)
#define TCR_PS_48_BITS          (UINT64_C(5) << 16)

#define PAGE_NORMAL (DESC_VALID | DESC_AF | DESC_SH_IS | S1_ATTR_NORMAL | S1_AP_RES1)
#define PAGE_DEVICE (DESC_VALID | DESC_AF | S1_ATTR_DEVICE | S1_AP_RES1 | S1_XN)

extern char hv_text_start[], hv_rodata_start[], hv_data_start[], hv_image_end[];

static uint64_t *root; /* level 1: 512 GiB */

static void map_page(uint64_t pa, uint64_t attributes)
{
	uint64_t *level2 = pagetable_next(&root[pa >> GIGABYTE_SHIFT]);
	uint64_t *level3 = pagetable_next(&level2[pa >> BLOCK_SHIFT & (TABLE_ENTRIES - 1)]);
	level3[pa >> PAGE_SHIFT & (TABLE_ENTRIES - 1)] = pa | attributes | DESC_TABLE;
}

static void map_blocks(uint64_t start, uint64_t end, uint64_t attributes)
{
	for (uint64_t pa = start; pa < end; pa += UINT64_C(1) << BLOCK_SHIFT) {
		uint64_t *level2 = pagetable_next(&root[pa >> GIGABYTE_SHIFT]);
		level2[pa >> BLOCK_SHIFT & (TABLE_ENTRIES - 1)] = pa | attributes;
	}
}

static void map_image(void)
{
	for (uint64_t pa = (uint64_t)hv_text_start; pa < (uint64_t)hv_rodata_start; pa += PAGE_BYTES)
		map_page(pa, PAGE_NORMAL | S1_AP_RO);
	for (uint64_t pa = (uint64_t)hv_rodata_start; pa < (uint64_t)hv_data_start; pa += PAGE_BYTES)
		map_page(pa, PAGE_NORMAL | S1_AP_RO | S1_XN);
	for (uint64_t pa = (uint64_t)hv_data_start; pa < (uint64_t)hv_image_end; pa += PAGE_BYTES)
		map_page(pa, PAGE_NORMAL | S1_XN);
}

void mmu_map(uint64_t ram_start, uint64_t ram_end, uint64_t device_start, uint64_t device_end)
{
	uint64_t block_mask = (UINT64_C(1) << BLOCK_SHIFT) - 1;
	uint64_t image_end = ((uint64_t)hv_image_end + block_mask) & ~block_mask;
	root = pagetable_alloc(1);
	map_blocks(device_start, device_end, PAGE_DEVICE);
	map_blocks(ram_start, (uint64_t)hv_text_start, PAGE_NORMAL | S1_XN);
	map_image();
	map_blocks(image_end, ram_end, PAGE_NORMAL | S1_XN);
}

void mmu_enable(void)
{
	WRITE_SYSREG(mair_el2, MAIR_NORMAL_THEN_DEVICE);
	WRITE_SYSREG(tcr_el2, TCR_EL2_RES1 | TCR_T0SZ_39_BITS | TCR_WRITE_BACK_SHARED | TCR_PS_48_BITS);
	WRITE_SYSREG(ttbr0_el2, (uint64_t)root);
	__asm__ volatile("dsb ish\n"    /* the tables are in memory before they are walked */
			 "tlbi alle2\n" /* nothing from before the MMU was on */
			 "dsb ish\n"    /* … is gone */
			 "isb" ::
				 : "memory");
	WRITE_SYSREG(sctlr_el2, SCTLR_EL2_RES1 | SCTLR_M | SCTLR_C | SCTLR_I | SCTLR_WXN);
	__asm__ volatile("isb"); /* translated from here on */
}
