/* The guest's view of one redistributor (GICR): GUEST_GICR_BYTES_PER_VCPU for each vCPU from GUEST_GICR_IPA on, the RD
 * frame and then the SGI frame. Called by hv's device dispatch, between vgic_fold and vgic_flush (see vgic.h).
 *
 * Registers, values and access sizes as QEMU's (hw/intc/arm_gicv3_redist.c) without LPIs. GICR_WAKER does its handshake
 * at once and, as in QEMU, a sleeping redistributor delivers all the same. Source: IHI 0069, 12.10 and 12.11. */
#pragma once
#include "hv/abi/guest_state.h"
#include <stdbool.h>
#include <stdint.h>

/* Reads `size` (1, 2, 4, 8) bytes at `offset` (below GUEST_GICR_BYTES_PER_VCPU) of the redistributor of `vcpu`. False,
 * with *value 0, if the architecture has no register there for an access of this size or alignment: RAZ, as vgicd. */
bool vgicr_read(const struct guest_state *guest, uint32_t vcpu, uint32_t offset, uint8_t size, uint64_t *value);

/* Writes the low `size` bytes of `value`. False, with nothing done, for the same accesses: WI. */
bool vgicr_write(struct guest_state *guest, uint32_t vcpu, uint32_t offset, uint8_t size, uint64_t value);
