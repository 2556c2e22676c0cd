/* See vgicr.h. The SGI frame is vgic_bank's; here is the RD frame. */
#include "hv/dev/vgicr.h"
#include "hv/dev/vgic_bank.h"
#include "hv/dev/vgic_regs.h"

static struct vgic_bank private_bank(uint32_t vcpu)
{
	return (struct vgic_bank){.vcpu = vcpu, .first_intid = 0, .end_intid = INTID_SPI_FIRST};
}

/* The frame has registers for 32 interrupts only: the places of the others are reserved, and not RAZ/WI registers. */
static bool sgi_frame_has(uint32_t offset)
{
	if (offset >= GIC_IGROUPR && offset < GIC_BITS_END)
		return offset % 0x80 < 4;
	if (offset >= GIC_IPRIORITYR && offset < GIC_IPRIORITYR_END)
		return offset - GIC_IPRIORITYR < INTID_SPI_FIRST;
	if (offset >= GIC_ICFGR && offset < GIC_ICFGR_END)
		return offset - GIC_ICFGR < 8;
	return offset == GIC_IGRPMODR || offset == GIC_NSACR;
}

static uint64_t typer(const struct guest_state *guest, uint32_t vcpu)
{
	return FIELD_PUT(GICR_TYPER_AFFINITY, vcpu) | FIELD_PUT(GICR_TYPER_COMMON_LPI, 1) |
	       FIELD_PUT(GICR_TYPER_PROCESSOR, vcpu) | (vcpu + 1 == guest->vcpu_count ? GICR_TYPER_LAST : 0);
}

/* PROPBASER and PENDBASER, whole or by halves. */
static bool is_lpi_base(uint32_t offset)
{
	return offset >= GICR_PROPBASER && offset < GICR_PENDBASER_END;
}

static bool rd_read(const struct guest_state *guest, uint32_t vcpu, uint32_t offset, uint64_t *value)
{
	switch (offset) {
	case GICR_IIDR:
		*value = GIC_IIDR_VALUE;
		return true;
	case GICR_TYPER:
		*value = (uint32_t)typer(guest, vcpu);
		return true;
	case GICR_TYPER + 4:
		*value = typer(guest, vcpu) >> 32;
		return true;
	case GICR_WAKER:
		*value = guest->vgic.redist[vcpu].waker;
		return true;
	case GICR_CTLR:
	case GICR_STATUSR:
		return true;
	default:
		break;
	}
	if (offset >= GIC_IDREGS && offset < GIC_IDREGS_END) {
		*value = vgic_bank_id(offset, GIC_PIDR0_REDISTRIBUTOR);
		return true;
	}
	return is_lpi_base(offset);
}

static bool rd_write(struct guest_state *guest, uint32_t vcpu, uint32_t offset, uint64_t value)
{
	switch (offset) {
	case GICR_WAKER:
		guest->vgic.redist[vcpu].waker = value & GICR_WAKER_PROCESSOR_SLEEP
							 ? GICR_WAKER_PROCESSOR_SLEEP | GICR_WAKER_CHILDREN_ASLEEP
							 : 0;
		return true;
	case GICR_CTLR:
	case GICR_IIDR:
	case GICR_TYPER:
	case GICR_TYPER + 4:
	case GICR_STATUSR:
		return true;
	default:
		return is_lpi_base(offset) || (offset >= GIC_IDREGS && offset < GIC_IDREGS_END);
	}
}

static bool is_wide(uint32_t offset)
{
	return offset == GICR_TYPER || is_lpi_base(offset);
}

bool vgicr_read(const struct guest_state *guest, uint32_t vcpu, uint32_t offset, uint8_t size, uint64_t *value)
{
	*value = 0;
	if (size == 0 || offset % size || offset >= GICR_FRAMES_END)
		return false;
	if (offset >= GICR_SGI_FRAME)
		return sgi_frame_has(offset - GICR_SGI_FRAME) &&
		       vgic_bank_read(guest, private_bank(vcpu), offset - GICR_SGI_FRAME, size, value);
	if (size == 8 && is_wide(offset)) {
		*value = offset == GICR_TYPER ? typer(guest, vcpu) : 0;
		return true;
	}
	return size == 4 && rd_read(guest, vcpu, offset, value);
}

bool vgicr_write(struct guest_state *guest, uint32_t vcpu, uint32_t offset, uint8_t size, uint64_t value)
{
	if (size == 0 || offset % size || offset >= GICR_FRAMES_END)
		return false;
	if (offset >= GICR_SGI_FRAME)
		return sgi_frame_has(offset - GICR_SGI_FRAME) &&
		       vgic_bank_write(guest, private_bank(vcpu), offset - GICR_SGI_FRAME, size, value);
	if (size == 8)
		return is_wide(offset);
	return size == 4 && rd_write(guest, vcpu, offset, value);
}
