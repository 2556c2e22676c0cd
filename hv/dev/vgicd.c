/* See vgicd.h. What is one field an interrupt is vgic_bank's; here are the rest: control, identification, routing. */
#include "hv/dev/vgicd.h"
#include "hv/dev/vgic.h"
#include "hv/dev/vgic_bank.h"
#include "hv/dev/vgic_regs.h"

#define GICD_CTLR_WRITABLE (GICD_CTLR_ENABLE_GRP0 | GICD_CTLR_ENABLE_GRP1)
#define IROUTER_WRITABLE   (FIELD_MASK(GICD_IROUTER_AFF3) | FIELD_MASK(GICD_IROUTER_AFF210))

static const struct vgic_bank spi_bank = {.first_intid = INTID_SPI_FIRST, .end_intid = GUEST_INTID_COUNT};

static bool within(uint32_t offset, uint32_t first, uint32_t end)
{
	return offset >= first && offset < end;
}

/* RAZ/WI because affinity routing is on: ITARGETSR and the SGI registers, bytes and words. */
static bool is_legacy(uint32_t offset, uint8_t size)
{
	if (within(offset, GICD_ITARGETSR, GICD_ITARGETSR_END) || within(offset, GICD_CPENDSGIR, GICD_SPENDSGIR_END))
		return size == 1 || size == 4;
	return offset == GICD_SGIR && size == 4;
}

static uint64_t typer(void)
{
	return GICD_TYPER_NO1N | GICD_TYPER_A3V | FIELD_PUT(GICD_TYPER_IDBITS, 15) |
	       FIELD_PUT(GICD_TYPER_LINES, GUEST_INTID_COUNT / 32 - 1);
}

static bool irouter_read(const struct guest_state *guest, uint32_t offset, uint8_t size, uint64_t *value)
{
	uint32_t intid = (offset - GICD_IROUTER) / 8;

	if (size != 4 && size != 8)
		return false;
	if (within(intid, INTID_SPI_FIRST, GUEST_INTID_COUNT))
		*value = guest->vgic.irouter[intid - INTID_SPI_FIRST];
	if (size == 4)
		*value = (uint32_t)(*value >> (offset % 8 * 8));
	return true;
}

static bool irouter_write(struct vgic_state *vgic, uint32_t offset, uint8_t size, uint64_t value)
{
	uint32_t intid = (offset - GICD_IROUTER) / 8;
	uint32_t shift = offset % 8 * 8;
	uint64_t mask = size == 8 ? UINT64_MAX : (uint64_t)UINT32_MAX << shift;

	if (size != 4 && size != 8)
		return false;
	if (!within(intid, INTID_SPI_FIRST, GUEST_INTID_COUNT))
		return true;

	uint64_t *router = &vgic->irouter[intid - INTID_SPI_FIRST];
	uint64_t route = ((*router & ~mask) | (value << shift & mask)) & IROUTER_WRITABLE;
	/* Another vCPU's list registers have not held it yet: it will be news there. */
	if (route != *router)
		vgic_irq(vgic, 0, intid)->lr &= (uint8_t)~VIRQ_LR_PENDING;
	*router = route;
	return true;
}

static bool control_read(const struct guest_state *guest, uint32_t offset, uint64_t *value)
{
	switch (offset) {
	case GICD_CTLR:
		*value = guest->vgic.ctlr;
		return true;
	case GICD_TYPER:
		*value = typer();
		return true;
	case GICD_IIDR:
		*value = GIC_IIDR_VALUE;
		return true;
	case GICD_TYPER2:
	case GICD_STATUSR:
		return true;
	default:
		return false;
	}
}

static bool control_write(struct vgic_state *vgic, uint32_t offset, uint64_t value)
{
	switch (offset) {
	case GICD_CTLR:
		vgic->ctlr = (uint32_t)((vgic->ctlr & ~GICD_CTLR_WRITABLE) | (value & GICD_CTLR_WRITABLE));
		return true;
	case GICD_TYPER:
	case GICD_IIDR:
	case GICD_TYPER2:
	case GICD_STATUSR:
		return true;
	default:
		return false;
	}
}

bool vgicd_read(const struct guest_state *guest, uint32_t offset, uint8_t size, uint64_t *value)
{
	*value = 0;
	if (size == 0 || offset % size)
		return false;
	if (is_legacy(offset, size))
		return true;
	if (within(offset, GICD_IROUTER, GICD_IROUTER_END))
		return irouter_read(guest, offset, size, value);
	if (within(offset, GIC_IGROUPR, GIC_NSACR_END))
		return vgic_bank_read(guest, spi_bank, offset, size, value);
	if (size != 4)
		return false;
	if (within(offset, GIC_IDREGS, GIC_IDREGS_END)) {
		*value = vgic_bank_id(offset, GIC_PIDR0_DISTRIBUTOR);
		return true;
	}
	return control_read(guest, offset, value);
}

bool vgicd_write(struct guest_state *guest, uint32_t offset, uint8_t size, uint64_t value)
{
	if (size == 0 || offset % size)
		return false;
	if (is_legacy(offset, size))
		return true;
	if (within(offset, GICD_IROUTER, GICD_IROUTER_END))
		return irouter_write(&guest->vgic, offset, size, value);
	if (within(offset, GIC_IGROUPR, GIC_NSACR_END))
		return vgic_bank_write(guest, spi_bank, offset, size, value);
	if (size != 4)
		return false;
	return within(offset, GIC_IDREGS, GIC_IDREGS_END) || control_write(&guest->vgic, offset, value);
}
