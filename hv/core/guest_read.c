/* Reads on top of the page table walk, page by page. */
#include "hv/core/guest_read.h"
#include "hv/abi/descriptor.h"
#include "hv/core/hv.h"
#include "hv/core/patch.h"
#include "hv/shared/guest_walk.h"

static bool read_ram(ipa_t ipa, uint8_t *to, size_t bytes)
{
	uint64_t offset = ipa.v - GUEST_RAM_IPA, ram_bytes = hv.boot->guest_ram_bytes;
	if (ipa.v < GUEST_RAM_IPA || offset > ram_bytes || bytes > ram_bytes - offset)
		return false;
	const volatile uint8_t *from = (const volatile uint8_t *)(uintptr_t)(hv.boot->guest_ram_pa + offset);
	for (size_t i = 0; i < bytes; i++)
		to[i] = from[i];
	return true;
}

static bool read_descriptor(const void *context, ipa_t ipa, uint64_t *descriptor)
{
	(void)context;
	return read_ram(ipa, (uint8_t *)descriptor, sizeof(*descriptor));
}

bool guest_read(va_t va, bool code, uint8_t *to, size_t bytes)
{
	while (bytes > 0) {
		size_t in_page = PAGE_BYTES - va.v % PAGE_BYTES;
		size_t part = bytes < in_page ? bytes : in_page;
		ipa_t ipa;
		if (!guest_walk(hv_vcpu(), va, read_descriptor, NULL, &ipa) || !read_ram(ipa, to, part) ||
		    (!code && patch_covers(ipa, part)))
			return false;
		va.v += part;
		to += part;
		bytes -= part;
	}
	return true;
}
