/* Firmware: an image that the guest runs from flash, as a board does after power on. */
#pragma once
#include "hv/error/error.h"
#include "recorder/load/layout.h"
#include <stdbool.h>

/* Finds out whether the file can be firmware, and fills `layout`'s kind, entry, kernel's place and warning: it begins
 * at GUEST_FLASH_IPA, byte for byte, and nothing of it is in RAM. False, error set: it is empty, too large for its bank
 * of flash, or something that cannot be run in place. */
bool firmware_load(const struct guest_config *config, struct guest_layout *layout, struct error *error);

/* Whether it is UEFI firmware (EDK2), which needs more than hvrec has. Cannot fail. */
bool firmware_is_uefi(const struct guest_file *file);
