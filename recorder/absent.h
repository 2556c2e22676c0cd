/* What QEMU's virt board has and hvrec's machine has not: a guest that is written for it gets external aborts there. */
#pragma once
#include <stdint.h>

/* What is at this guest physical address on QEMU's board, for a sentence; NULL: nothing there either. Cannot fail.
 * Source: QEMU hw/arm/virt.c (base_memmap, extended_memmap) and its monitor's `info mtree`. */
const char *absent_device(uint64_t ipa);
