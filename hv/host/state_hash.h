/* The state hash: one number for a whole guest. */
#pragma once
#include "hv/host/machine.h"

enum { STATE_HASH_TEXT_BYTES = 33 };

/* Hashes (XXH3, 128 bits) `state`, the firmware in flash, and every page of guest RAM that is not zero, and writes 32
 * hexadecimal digits. With a NULL state: memory only. Equal guests have equal hashes on every host. False: out of
 * memory, error set. */
bool state_hash(const struct machine *machine, const struct guest_state *state, char text[STATE_HASH_TEXT_BYTES],
		struct error *error);
