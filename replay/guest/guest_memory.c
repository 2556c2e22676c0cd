/* Reads of guest memory, and on top of the page table walk. */
#include "replay/guest/guest_memory.h"
#include "hv/abi/descriptor.h"
#include "hv/abi/machine.h"
#include "hv/shared/guest_walk.h"

#include <string.h>

bool guest_memory_offset(struct guest_memory memory, ipa_t ipa, size_t bytes, uint64_t *offset)
{
	*offset = ipa.v - GUEST_RAM_IPA;
	return ipa.v >= GUEST_RAM_IPA && *offset <= memory.bytes && bytes <= memory.bytes - *offset;
}

bool guest_memory_read_physical(struct guest_memory memory, ipa_t ipa, void *to, size_t bytes)
{
	uint64_t offset, flash = ipa.v - GUEST_FLASH_IPA;
	if (guest_memory_offset(memory, ipa, bytes, &offset))
		memcpy(to, memory.ram + offset, bytes);
	else if (flash < memory.flash_bytes && bytes <= memory.flash_bytes - flash)
		memcpy(to, memory.flash + flash, bytes);
	else
		return false;
	return true;
}

static bool read_descriptor(const void *context, ipa_t ipa, uint64_t *descriptor)
{
	const struct guest_memory *memory = context;
	return guest_memory_read_physical(*memory, ipa, descriptor, sizeof(*descriptor));
}

bool guest_memory_translate(struct guest_memory memory, const struct vcpu_state *vcpu, va_t va, ipa_t *ipa)
{
	return guest_walk(vcpu, va, read_descriptor, &memory, ipa);
}

bool guest_memory_read(struct guest_memory memory, const struct vcpu_state *vcpu, va_t va, void *to, size_t bytes)
{
	uint8_t *at = to;
	while (bytes > 0) {
		size_t in_page = PAGE_BYTES - va.v % PAGE_BYTES;
		size_t part = bytes < in_page ? bytes : in_page;
		ipa_t ipa;
		if (!guest_memory_translate(memory, vcpu, va, &ipa) ||
		    !guest_memory_read_physical(memory, ipa, at, part))
			return false;
		va.v += part;
		at += part;
		bytes -= part;
	}
	return true;
}
