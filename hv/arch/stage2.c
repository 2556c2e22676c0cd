/* The guest's stage 2: RAM in 4 KiB leaves with hardware dirty state; the firmware in flash, in blocks of 2 MiB; and
 * what of flash is empty, all of it one page of zeros. A device access, and a store to flash, comes to EL2 as an abort.
 *
 * 1. The map does not change while the guest runs (invariant I6), but for the pages that hv/core/patch.c makes
 *    execute-only; the CPU sets dirty state in it, and hv for what devices write.
 * 2. A leaf starts clean: readable, DBM set, made writable by the CPU at the first store (Arm ARM D8.4.6).
 * 3. Up to 16 GiB of IPA the walk starts at level 2 with concatenated tables, one level less per TLB miss. */
#include "hv/arch/stage2.h"
#include "hv/arch/arch.h"
#include "hv/arch/pagetable.h"
#include "hv/arch/sysreg.h"

#define VTCR_RES1              BIT(31)
#define VTCR_SL0_LEVEL2        (UINT64_C(0) << 6)
#define VTCR_SL0_LEVEL1        (UINT64_C(1) << 6)
#define VTCR_WRITE_BACK_SHARED (UINT64_C(1) << 8 | UINT64_C(1) << 10 | UINT64_C(3) << 12)
#define VTCR_PS_44_BITS        (UINT64_C(4) << 16)
#define VTCR_HA                BIT(21)
#define VTCR_HD                BIT(22)

enum { LEVEL1_START_IPA_BITS = 42 };

#define LEAF (DESC_VALID | DESC_TABLE | DESC_AF | DESC_SH_IS | S2_ATTR_NORMAL | S2_AP_READ | DESC_DBM)

#define BLOCK_CODE (DESC_VALID | DESC_AF | DESC_SH_IS | S2_ATTR_NORMAL | S2_AP_READ)

#define LEAF_ZEROS (DESC_VALID | DESC_TABLE | DESC_AF | DESC_SH_IS | S2_ATTR_NORMAL | S2_AP_READ | S2_XN)

static uint64_t *root;
static bool starts_at_level2;
static uint64_t vtcr;

static uint64_t *level2_entry(uint64_t ipa)
{
	return starts_at_level2
		       ? &root[ipa >> BLOCK_SHIFT]
		       : &pagetable_next(&root[ipa >> GIGABYTE_SHIFT])[ipa >> BLOCK_SHIFT & (TABLE_ENTRIES - 1)];
}

void stage2_init(ipa_t ipa, pa_t pa, uint64_t bytes)
{
	uint64_t end = ipa.v + bytes;
	bool small = end <= UINT64_C(1) << STAGE2_LEVEL2_START_IPA_BITS;
	uint64_t ipa_bits = small ? STAGE2_LEVEL2_START_IPA_BITS : LEVEL1_START_IPA_BITS;
	starts_at_level2 = small;
	root = pagetable_alloc(small ? 16 : 8); /* concatenated, aligned to their size: they come first */
	uint64_t *level3 = 0;
	for (uint64_t at = ipa.v; at < end; at += PAGE_BYTES) {
		if (!level3 || at % (UINT64_C(1) << BLOCK_SHIFT) == 0)
			level3 = pagetable_next(level2_entry(at));
		level3[at >> PAGE_SHIFT & (TABLE_ENTRIES - 1)] = (pa.v + (at - ipa.v)) | LEAF;
	}
	vtcr = VTCR_RES1 | (64 - ipa_bits) | (small ? VTCR_SL0_LEVEL2 : VTCR_SL0_LEVEL1) | VTCR_WRITE_BACK_SHARED |
	       VTCR_PS_44_BITS | VTCR_HA | VTCR_HD;
}

void stage2_enable(void)
{
	WRITE_SYSREG(vtcr_el2, vtcr);
	WRITE_SYSREG(vttbr_el2, (uint64_t)root);
	arch_tlb_forget();
}

void stage2_map_code(ipa_t ipa, pa_t pa, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += UINT64_C(1) << BLOCK_SHIFT)
		*level2_entry(ipa.v + at) = (pa.v + at) | BLOCK_CODE;
}

void stage2_map_zeros(ipa_t ipa, uint64_t bytes)
{
	uint64_t zeros = (uint64_t)pagetable_alloc(1);
	uint64_t *level3 = pagetable_alloc(1);
	for (uint32_t i = 0; i < TABLE_ENTRIES; i++)
		level3[i] = zeros | LEAF_ZEROS;
	for (uint64_t at = ipa.v; at < ipa.v + bytes; at += UINT64_C(1) << BLOCK_SHIFT)
		*level2_entry(at) = (uint64_t)level3 | DESC_VALID | DESC_TABLE;
}

static uint64_t *leaf_of(ipa_t page)
{
	return &pagetable_next(level2_entry(page.v))[page.v >> PAGE_SHIFT & (TABLE_ENTRIES - 1)];
}

/* What the CPU remembers of the page is no matter: it only makes it writable once more. */
void arch_page_written(ipa_t page)
{
	uint64_t *leaf = leaf_of(page);
	*leaf |= *leaf & S2_XN_EL0 ? S2_WAS_DIRTY : S2_AP_WRITE;
}

/* Execute-only, a page has no dirty state that the CPU could set: without DBM every store faults (Arm ARM D8.4.6). */
void arch_page_execute_only(ipa_t page, bool only)
{
	uint64_t *leaf = leaf_of(page);
	uint64_t now = *leaf;
	if (((now & S2_XN_EL0) != 0) == only)
		return;
	uint64_t was_dirty = only ? now & S2_AP_WRITE : now & S2_WAS_DIRTY;
	now &= ~(S2_AP_READ | S2_AP_WRITE | S2_XN_EL0 | S2_WAS_DIRTY | DESC_DBM);
	now |= only ? S2_XN_EL0 : S2_AP_READ | DESC_DBM;
	if (was_dirty)
		now |= only ? S2_WAS_DIRTY : S2_AP_WRITE;
	*leaf = now;
}

void arch_yield(void)
{
	__asm__ volatile("yield");
}

void arch_tlb_forget(void)
{
	__asm__ volatile("dsb ish\n"           /* the tables are in memory before they are walked */
			 "tlbi vmalls12e1is\n" /* nothing from before; IPAS2E1IS alone keeps old dirty state */
			 "dsb ish\n"           /* … is gone */
			 "isb" ::
				 : "memory");
}
