/* Instructions of the guest, replaced in RAM. MRS Xt, CNTPCT_EL0, which traps, becomes MRS Xt, CNTVCT_EL0, which does
 * not and has the same value here (guest_clock_ticks). WFE and YIELD, which do not trap, become an HVC (spin.c).
 *
 * 1. The guest cannot see it. A page with such words is execute-only in stage 2, and that for EL1 alone, whose
 *    permissions for the two counters are equal, and which may execute HVC. Every other access is a permission fault,
 *    without an event: the page's words are taken out and the access is made again.
 * 2. Which words are replaced decides where the guest exits, and an exit clears its exclusive monitor. So it is a
 *    function of the guest, and part of struct guest_state: the same in a recording, a replay, and from a keyframe.
 * 3. Nobody else sees it either: RAM and the dirty state of stage 2 are the guest's own whenever hv stands still for
 *    the host (patch_hide in publish, patch_show before the guest goes on).
 * 4. The table comes from traces: what it names may not be in RAM, or not be such an instruction. */
#include "hv/core/patch.h"
#include "hv/arch/arch.h"
#include "hv/arch/hot.h"
#include "hv/arch/panic.h"
#include "hv/core/hv.h"

#define MRS_CNTPCT  UINT32_C(0xd53be020)
#define MRS_CNTVCT  UINT32_C(0xd53be040)
#define MRS_RT_MASK UINT32_C(0x1f)
#define MRS_SWAPPED (MRS_CNTPCT ^ MRS_CNTVCT)
#define YIELD       UINT32_C(0xd503203f)
#define WFE         UINT32_C(0xd503205f)
/* HVC #imm16 (Arm ARM C6.2.119); the numbers stand for no call that anybody makes. */
#define HVC(imm16)   (UINT32_C(0xd4000002) | (uint32_t)(imm16) << 5)
#define HVC_YIELD    0x7e1d
#define HVC_WFE      0x7efe
#define PAGE_OFFSETS UINT64_C(0xfff)

static bool shown;

static uint64_t *words(void)
{
	return hv.guest.patch.word_ipa;
}

static ipa_t page_of(uint64_t ipa)
{
	return (ipa_t){ipa & ~PAGE_OFFSETS};
}

static bool is_spin(uint32_t word)
{
	return word == WFE || word == YIELD;
}

/* What stands for it; 0: nothing. */
static uint32_t replacement(uint32_t word)
{
	if (is_spin(word))
		return word == WFE ? HVC(HVC_WFE) : HVC(HVC_YIELD);
	return (word & ~MRS_RT_MASK) == MRS_CNTPCT ? word ^ MRS_SWAPPED : 0;
}

/* What it stands for; 0: nothing. */
static uint32_t original(uint32_t word)
{
	if (word == HVC(HVC_WFE) || word == HVC(HVC_YIELD))
		return word == HVC(HVC_WFE) ? WFE : YIELD;
	return (word & ~MRS_RT_MASK) == MRS_CNTVCT ? word ^ MRS_SWAPPED : 0;
}

/* False: there is no such instruction. */
static bool word_put(uint64_t ipa)
{
	volatile uint32_t *word = hv_ram_word((ipa_t){ipa});
	if (!word || replacement(*word) == 0)
		return false;
	*word = replacement(*word);
	arch_page_execute_only(page_of(ipa), true);
	return true;
}

/* It is there still: whoever else writes to its page takes it out before. */
static void word_take(uint64_t ipa)
{
	volatile uint32_t *word = hv_ram_word((ipa_t){ipa});
	CHECK(word && original(*word) != 0);
	*word = original(*word);
	arch_page_execute_only(page_of(ipa), false);
}

void patch_hide(void)
{
	for (uint32_t i = 0; shown && i < GUEST_PATCH_COUNT; i++) {
		if (words()[i] != 0)
			word_take(words()[i]);
	}
	shown = false;
}

HV_APART void patch_show(void)
{
	bool any = false;
	for (uint32_t i = 0; !shown && i < GUEST_PATCH_COUNT; i++) {
		if (words()[i] != 0 && !word_put(words()[i]))
			words()[i] = 0;
		any |= words()[i] != 0;
	}
	shown = true;
	if (any)
		arch_tlb_forget();
}

bool patch_covers(ipa_t ipa, uint64_t bytes)
{
	for (uint32_t i = 0; shown && i < GUEST_PATCH_COUNT; i++) {
		uint64_t word = words()[i];
		if (word != 0 && (word - ipa.v < bytes || ipa.v - word < sizeof(uint32_t)))
			return true;
	}
	return false;
}

/* A free place in the table. Where there is none all words go, and those that the guest still uses come again. */
static uint64_t *place(void)
{
	for (uint32_t i = 0; i < GUEST_PATCH_COUNT; i++) {
		if (words()[i] == 0)
			return &words()[i];
	}
	patch_hide();
	for (uint32_t i = 0; i < GUEST_PATCH_COUNT; i++)
		words()[i] = 0;
	patch_show();
	arch_tlb_forget();
	return &words()[0];
}

void patch_word(ipa_t ipa)
{
	uint64_t *free = place();
	if (!word_put(ipa.v))
		return;
	*free = ipa.v;
	arch_tlb_forget();
}

bool patch_spin(ipa_t ipa)
{
	volatile uint32_t *word = hv_ram_word(ipa);
	if (!word || !is_spin(*word))
		return false;
	patch_word(ipa);
	return true;
}

bool patch_is_spin_call(uint16_t imm16)
{
	return imm16 == HVC_WFE || imm16 == HVC_YIELD;
}

HV_APART bool patch_release(ipa_t page)
{
	bool any = false;
	for (uint32_t i = 0; i < GUEST_PATCH_COUNT; i++) {
		if (words()[i] == 0 || page_of(words()[i]).v != page_of(page.v).v)
			continue;
		word_take(words()[i]);
		words()[i] = 0;
		any = true;
	}
	if (any)
		arch_tlb_forget();
	return any;
}
