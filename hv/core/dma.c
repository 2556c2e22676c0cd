/* RAM for the guest's devices: within its bounds, without hv's own instructions in it, and marked as written. Once it
 * has been shown to the host (hv.ended), in the middle of a batch, too, nothing moves any more. */
#include "hv/dev/dma.h"
#include "hv/abi/descriptor.h"
#include "hv/arch/arch.h"
#include "hv/core/hv.h"
#include "hv/core/patch.h"

bool dma_is_ram(ipa_t at, uint64_t bytes)
{
	uint64_t offset = at.v - GUEST_RAM_IPA, ram_bytes = hv.boot->guest_ram_bytes;
	return at.v >= GUEST_RAM_IPA && offset <= ram_bytes && bytes <= ram_bytes - offset;
}

static void *at_ipa(uint64_t ipa)
{
	return (void *)(uintptr_t)(hv.boot->guest_ram_pa + (ipa - GUEST_RAM_IPA));
}

static void pages_prepare(uint64_t ipa, uint64_t bytes, bool write)
{
	for (uint64_t page = ipa & ~(uint64_t)(PAGE_BYTES - 1); page < ipa + bytes; page += PAGE_BYTES) {
		if (write || patch_covers((ipa_t){page}, PAGE_BYTES))
			patch_release((ipa_t){page});
		if (write)
			arch_page_written((ipa_t){page});
	}
}

bool dma_read(ipa_t from, void *to, size_t bytes)
{
	if (hv.ended || !dma_is_ram(from, bytes))
		return false;
	pages_prepare(from.v, bytes, false);
	arch_copy(to, at_ipa(from.v), bytes);
	return true;
}

bool dma_write(ipa_t to, const void *from, size_t bytes)
{
	if (hv.ended || !dma_is_ram(to, bytes))
		return false;
	pages_prepare(to.v, bytes, true);
	arch_copy(at_ipa(to.v), from, bytes);
	return true;
}
