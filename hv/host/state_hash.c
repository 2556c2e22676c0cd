/* Hashes the guest. Pages of RAM that nobody wrote to are skipped, like pages of zeroes. */
#include "hv/host/state_hash.h"
#include "hv/abi/descriptor.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

static bool page_is_zero(const uint8_t *page)
{
	return page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0;
}

static void hash_pages(XXH3_state_t *hash, const struct machine *machine, uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at < end; at += PAGE_BYTES) {
		const uint8_t *page = machine->guest_ram + at;
		if (page_is_zero(page))
			continue;
		XXH3_128bits_update(hash, &at, sizeof(at));
		XXH3_128bits_update(hash, page, PAGE_BYTES);
	}
}

bool state_hash(const struct machine *machine, const struct guest_state *state, char text[STATE_HASH_TEXT_BYTES],
		struct error *error)
{
	XXH3_state_t *hash = XXH3_createState();
	if (!hash)
		return error_set(error, STATUS_FAILED, "out of memory for the state hash");
	XXH3_128bits_reset(hash);
	if (state)
		XXH3_128bits_update(hash, state, guest_state_bytes(machine->boot->machine_version));
	XXH3_128bits_update(hash, machine->guest_flash, machine->boot->flash_bytes);
	for (uint64_t start = 0, end; machine_ram_written(machine, &start, &end); start = end)
		hash_pages(hash, machine, start, end);
	XXH128_hash_t digest = XXH3_128bits_digest(hash);
	XXH3_freeState(hash);
	snprintf(text, STATE_HASH_TEXT_BYTES, "%016llx%016llx", (unsigned long long)digest.high64,
		 (unsigned long long)digest.low64);
	return true;
}
