/* Reads on top of the page table walk, page by page. */
#include "hv/core/guest_read.h"
#include "hv/abi/descriptor.h"
#include "hv/core/hv.h"
#include "hv/core/patch.h"
#include "hv/shared/guest_walk.h"

/* Where in the machine it is; 0: not all of it is in RAM or in the firmware's image. */
static uint64_t memory_pa(ipa_t ipa, size_t bytes)
{
	const struct hv_boot *boot = hv.boot;
	uint64_t ram = ipa.v - GUEST_RAM_IPA, flash = ipa.v - GUEST_FLASH_IPA;
	if (ram <= boot->guest_ram_bytes && bytes <= boot->guest_ram_bytes - ram)
		return boot->guest_ram_pa + ram;
	return flash < boot->flash_bytes && bytes <= boot->flash_bytes - flash ? boot->flash_pa + flash : 0;
}

static bool read_memory(ipa_t ipa, uint8_t *to, size_t bytes)
{
	const volatile uint8_t *from = (const volatile uint8_t *)(uintptr_t)memory_pa(ipa, bytes);
	for (size_t i = 0; from && i < bytes; i++)
		to[i] = from[i];
	return from != NULL;
}

static bool read_descriptor(const void *context, ipa_t ipa, uint64_t *descriptor)
{
	(void)context;
	return read_memory(ipa, (uint8_t *)descriptor, sizeof(*descriptor));
}

bool guest_read(va_t va, bool code, uint8_t *to, size_t bytes)
{
	while (bytes > 0) {
		size_t in_page = PAGE_BYTES - va.v % PAGE_BYTES;
		size_t part = bytes < in_page ? bytes : in_page;
		ipa_t ipa;
		if (!guest_walk(hv_vcpu(), va, read_descriptor, NULL, &ipa) || !read_memory(ipa, to, part) ||
		    (!code && patch_covers(ipa, part)))
			return false;
		va.v += part;
		to += part;
		bytes -= part;
	}
	return true;
}
