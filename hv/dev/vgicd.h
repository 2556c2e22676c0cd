/* The guest's view of the distributor (GICD): GUEST_GICD_BYTES at GUEST_GICD_IPA. Called by hv's device dispatch,
 * between vgic_fold and vgic_flush (see vgic.h).
 *
 * With affinity routing always on, SGIs and PPIs are RAZ/WI here: they are in GICR. Registers, values and access sizes
 * as QEMU's virt board without secure mode (hw/intc/arm_gicv3_dist.c), apart from: no LPIs, IROUTER keeps the affinity
 * bits only, priorities have five bits. Source: IHI 0069, 12.9. */
#pragma once
#include "hv/abi/guest_state.h"
#include <stdbool.h>
#include <stdint.h>

/* Reads `size` (1, 2, 4, 8) bytes at `offset`. False, with *value 0, if the architecture has no register there for an
 * access of this size or alignment: reserved is RAZ (IHI 0069, 12.1.3), and QEMU reads 0 too. */
bool vgicd_read(const struct guest_state *guest, uint32_t offset, uint8_t size, uint64_t *value);

/* Writes the low `size` bytes of `value`. False, with nothing done, for the same accesses: WI. */
bool vgicd_write(struct guest_state *guest, uint32_t offset, uint8_t size, uint64_t value);
