/* The virtual GIC's state: reset, input lines, SGIs, and the bitmaps of live interrupts that make fold and flush cheap.
 * Called by hv's exit dispatch and devices, and by the other vgic files. See vgic.h for the invariants. */
#include "hv/dev/vgic.h"
#include "hv/dev/vgic_regs.h"

enum { LIVE_BITS = 64 };

_Static_assert(VGIC_SPI_COUNT % LIVE_BITS == 0, "spi_live has no partial word");

static void live_assign(uint64_t *word, uint32_t bit, bool live)
{
	*word = (*word & ~BIT(bit)) | (uint64_t)live << bit;
}

struct virq *vgic_irq(struct vgic_state *vgic, uint32_t vcpu, uint32_t intid)
{
	return intid < INTID_SPI_FIRST ? &vgic->redist[vcpu].irq[intid] : &vgic->spi[intid - INTID_SPI_FIRST];
}

const struct virq *vgic_irq_const(const struct vgic_state *vgic, uint32_t vcpu, uint32_t intid)
{
	return intid < INTID_SPI_FIRST ? &vgic->redist[vcpu].irq[intid] : &vgic->spi[intid - INTID_SPI_FIRST];
}

bool vgic_irq_pending(const struct virq *irq)
{
	return irq->pending || (irq->level && !irq->edge);
}

void vgic_irq_changed(struct vgic_state *vgic, uint32_t vcpu, uint32_t intid)
{
	struct virq *irq = vgic_irq(vgic, vcpu, intid);
	bool wanted = irq->enabled && vgic_irq_pending(irq);

	if (!wanted)
		irq->lr &= (uint8_t)~VIRQ_LR_PENDING;
	if (intid < INTID_SPI_FIRST) {
		live_assign(&vgic->redist[vcpu].live, intid, wanted || irq->active);
	} else {
		uint32_t spi = intid - INTID_SPI_FIRST;
		live_assign(&vgic->spi_live[spi / LIVE_BITS], spi % LIVE_BITS, wanted || irq->active);
	}
}

uint32_t vgic_next_live(const struct vgic_state *vgic, uint32_t vcpu, uint32_t from)
{
	uint64_t bits;

	if (from < INTID_SPI_FIRST) {
		bits = vgic->redist[vcpu].live >> from;
		if (bits)
			return from + (uint32_t)__builtin_ctzll(bits);
		from = INTID_SPI_FIRST;
	}
	from -= INTID_SPI_FIRST;
	for (uint32_t word = from / LIVE_BITS, skip = from % LIVE_BITS; word < VGIC_SPI_COUNT / LIVE_BITS; word++) {
		bits = vgic->spi_live[word] >> skip;
		if (bits)
			return INTID_SPI_FIRST + word * LIVE_BITS + skip + (uint32_t)__builtin_ctzll(bits);
		skip = 0;
	}
	return GUEST_INTID_COUNT;
}

void vgic_reset_cpu(struct vcpu_state *vcpu)
{
	vcpu->ich_vmcr =
		ICH_VMCR_VFIQEN | FIELD_PUT(ICH_VMCR_VBPR0, ICH_VBPR0_MIN) | FIELD_PUT(ICH_VMCR_VBPR1, ICH_VBPR1_MIN);
	vcpu->ich_ap0r0 = 0;
	vcpu->ich_ap1r0 = 0;
	vcpu->ich_hcr = ICH_HCR_EN;
	for (uint32_t i = 0; i < GUEST_LR_COUNT; i++)
		vcpu->ich_lr[i] = 0;
}

static void redist_reset(struct vgic_redist_state *redist)
{
	redist->waker = GICR_WAKER_PROCESSOR_SLEEP | GICR_WAKER_CHILDREN_ASLEEP;
	redist->lr_used = 0;
	redist->live = 0;
	for (uint32_t i = 0; i < VGIC_PRIVATE_COUNT; i++)
		redist->irq[i] = (struct virq){.edge = i < INTID_PPI_FIRST};
}

void vgic_reset(struct guest_state *guest)
{
	struct vgic_state *vgic = &guest->vgic;

	vgic->ctlr = GICD_CTLR_DS | GICD_CTLR_ARE;
	vgic->stage = VGIC_FOLDED;
	for (uint32_t i = 0; i < VGIC_SPI_COUNT; i++) {
		vgic->spi[i] = (struct virq){.edge = 0};
		vgic->irouter[i] = 0;
		vgic->spi_live[i / LIVE_BITS] = 0;
	}
	for (uint32_t i = 0; i < GUEST_VCPU_MAX; i++) {
		redist_reset(&vgic->redist[i]);
		vgic_reset_cpu(&guest->vcpu[i]);
	}
}

void vgic_set_level(struct guest_state *guest, uint32_t vcpu, uint32_t intid, bool level)
{
	struct virq *irq = vgic_irq(&guest->vgic, vcpu, intid);

	if (irq->level == level)
		return;
	irq->level = level;
	if (level && irq->edge)
		irq->pending = 1;
	vgic_irq_changed(&guest->vgic, vcpu, intid);
}

static bool sgi_targets(uint64_t sgi, uint32_t from_vcpu, uint32_t vcpu)
{
	uint64_t first = FIELD_GET(sgi, ICC_SGI_RS) * 16;

	if (sgi & ICC_SGI_IRM)
		return vcpu != from_vcpu;
	if (FIELD_GET(sgi, ICC_SGI_AFF3) || FIELD_GET(sgi, ICC_SGI_AFF2) || FIELD_GET(sgi, ICC_SGI_AFF1))
		return false;
	return vcpu >= first && (FIELD_GET(sgi, ICC_SGI_TARGETS) >> (vcpu - first) & 1);
}

void vgic_sgi(struct guest_state *guest, uint32_t from_vcpu, uint64_t icc_sgi1r)
{
	uint32_t intid = (uint32_t)FIELD_GET(icc_sgi1r, ICC_SGI_INTID);

	for (uint32_t vcpu = 0; vcpu < guest->vcpu_count; vcpu++) {
		struct virq *irq = vgic_irq(&guest->vgic, vcpu, intid);
		if (!irq->group || !sgi_targets(icc_sgi1r, from_vcpu, vcpu))
			continue;
		irq->pending = 1;
		vgic_irq_changed(&guest->vgic, vcpu, intid);
	}
}
