/* The guest's physical address space outside RAM: which device is where. */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>

/* The bits of an access of `size` bytes. */
static inline uint64_t bus_size_mask(uint8_t size)
{
	return UINT64_MAX >> (64 - 8 * (uint32_t)size);
}

/* The device at `ipa`; NULL: there is none. */
struct bus_device;
const struct bus_device *bus_device(ipa_t ipa);
/* Whether this version of the machine has flash, which is mapped for reading; whether it is at `ipa`. */
bool bus_has_flash(void);
bool bus_is_flash(ipa_t ipa);
/* Accesses of 1, 2, 4 or 8 bytes. What a device does not have reads as zero and ignores writes, as on the board;
 * so does no device. */
uint64_t bus_read(const struct bus_device *device, ipa_t ipa, uint8_t size);
void bus_write(const struct bus_device *device, ipa_t ipa, uint8_t size, uint64_t value);
