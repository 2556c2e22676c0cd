/* The guest's device tree: built, or the user's own with what only the loader knows. */
#pragma once
#include "recorder/load/layout.h"

/* Makes the device tree of `config` and fills layout->dtb (malloc, the caller frees it) and layout->dtb_bytes. Reads
 * the layout's initrd_ipa and initrd_bytes. Without config->dtb the tree is QEMU's virt board, restricted to the
 * devices of hv/abi/machine.h. With it the tree is the user's; as QEMU does, its memory nodes are replaced, bootargs
 * and the initrd set if there are any, and a psci node added if it has none; a seed is added if it has none of that
 * name, and an initrd's address is taken out if there is no initrd. Equal arguments make equal bytes. Returns false
 * with `error` set for a malformed tree, one whose cells cannot hold the addresses, or one above LAYOUT_DTB_BYTES_MAX.
 * Source: Devicetree Specification 0.4; QEMU hw/arm/virt.c (create_fdt), hw/arm/boot.c (arm_load_dtb). */
bool dtb_make(const struct guest_config *config, struct guest_layout *layout, struct error *error);
