/* The registers that GICD and the SGI frame of GICR have alike: groups, enables, pending and active bits, priorities,
 * configuration. Called by vgicd and vgicr, which decide which INTIDs a frame has; see vgic_regs.h for the offsets.
 * Sizes as the architecture has them: 4 bytes, and 1 for priorities; accesses must be aligned. */
#pragma once
#include "hv/abi/guest_state.h"
#include <stdbool.h>
#include <stdint.h>

/* The INTIDs that a frame has, [first, end), multiples of 32; registers of others are RAZ/WI. */
struct vgic_bank {
	uint32_t vcpu; /* whose SGIs and PPIs */
	uint32_t first_intid;
	uint32_t end_intid;
};

/* `offset` in bytes from the frame's start. False, with *value 0, if there is no such register for this size.
 * Source: IHI 0069, 12.9. */
bool vgic_bank_read(const struct guest_state *guest, struct vgic_bank bank, uint32_t offset, uint8_t size,
		    uint64_t *value);

/* The same. False, with nothing done, if there is no such register for this size. */
bool vgic_bank_write(struct guest_state *guest, struct vgic_bank bank, uint32_t offset, uint8_t size, uint64_t value);

/* An identification register (PIDR4 to CIDR3); `offset` from GIC_IDREGS to GIC_IDREGS_END. `pidr0` names the frame. */
uint64_t vgic_bank_id(uint32_t offset, uint8_t pidr0);
