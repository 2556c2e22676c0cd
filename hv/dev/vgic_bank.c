/* See vgic_bank.h. Every register is decoded into the field of each interrupt that it holds (field_decode), and then
 * read or written one interrupt after the other: these accesses are rare, and the guest's LR contents are folded. */
#include "hv/dev/vgic_bank.h"
#include "hv/dev/vgic.h"
#include "hv/dev/vgic_regs.h"

enum field {
	BANK_GROUP,
	BANK_SET_ENABLED,
	BANK_CLEAR_ENABLED,
	BANK_SET_PENDING,
	BANK_CLEAR_PENDING,
	BANK_SET_ACTIVE,
	BANK_CLEAR_ACTIVE,
	BANK_PRIORITY,
	BANK_CONFIG,
	BANK_NONE, /* RAZ/WI */
};

/* One register: `count` fields of `width` bits each, for the interrupts from `intid` on. */
struct field_row {
	enum field field;
	uint32_t intid;
	uint32_t count;
	uint32_t width;
};

enum { BITS_REGISTER_BYTES = 0x80 };

static bool field_decode(uint32_t offset, uint8_t size, struct field_row *row)
{
	bool word = size == 4 && offset % 4 == 0;

	if (offset >= GIC_IPRIORITYR && offset < GIC_IPRIORITYR_END) {
		*row = (struct field_row){BANK_PRIORITY, offset - GIC_IPRIORITYR, size, 8};
		return word || size == 1;
	}
	if (!word)
		return false;
	if (offset >= GIC_IGROUPR && offset < GIC_BITS_END) {
		uint32_t index = (offset - GIC_IGROUPR) / BITS_REGISTER_BYTES;
		*row = (struct field_row){(enum field)index, offset % BITS_REGISTER_BYTES * 8, 32, 1};
		return true;
	}
	if (offset >= GIC_ICFGR && offset < GIC_ICFGR_END) {
		*row = (struct field_row){BANK_CONFIG, (offset - GIC_ICFGR) * 4, 16, 2};
		return true;
	}
	*row = (struct field_row){BANK_NONE, 0, 0, 0};
	return offset >= GIC_IGRPMODR && offset < GIC_NSACR_END;
}

static uint32_t field_get(const struct virq *irq, enum field field)
{
	switch (field) {
	case BANK_GROUP:
		return irq->group;
	case BANK_SET_ENABLED:
	case BANK_CLEAR_ENABLED:
		return irq->enabled;
	case BANK_SET_PENDING:
	case BANK_CLEAR_PENDING:
		return vgic_irq_pending(irq);
	case BANK_SET_ACTIVE:
	case BANK_CLEAR_ACTIVE:
		return irq->active != 0;
	case BANK_PRIORITY:
		return irq->priority;
	case BANK_CONFIG:
		return irq->edge ? 2 : 0;
	case BANK_NONE:
		break;
	}
	return 0;
}

static void active_set(struct virq *irq)
{
	if (!irq->active)
		irq->active = irq->priority | 1;
}

static void active_clear(struct virq *irq)
{
	irq->active = 0;
	irq->lr &= VIRQ_LR_PENDING;
}

static void field_set(struct virq *irq, enum field field, uint32_t value, bool is_sgi)
{
	switch (field) {
	case BANK_GROUP:
		irq->group = value & 1;
		break;
	case BANK_SET_ENABLED:
		irq->enabled |= value & 1;
		break;
	case BANK_CLEAR_ENABLED:
		irq->enabled &= ~value & 1;
		break;
	case BANK_SET_PENDING:
		irq->pending |= value & 1;
		break;
	case BANK_CLEAR_PENDING:
		irq->pending &= ~value & 1;
		break;
	case BANK_SET_ACTIVE:
		if (value)
			active_set(irq);
		break;
	case BANK_CLEAR_ACTIVE:
		if (value)
			active_clear(irq);
		break;
	case BANK_PRIORITY:
		irq->priority = value & VGIC_PRIORITY_MASK;
		break;
	case BANK_CONFIG:
		irq->edge = is_sgi || (value & 2);
		break;
	case BANK_NONE:
		break;
	}
}

static bool bank_has(struct vgic_bank bank, const struct field_row *row)
{
	return row->intid >= bank.first_intid && row->intid < bank.end_intid;
}

bool vgic_bank_read(const struct guest_state *guest, struct vgic_bank bank, uint32_t offset, uint8_t size,
		    uint64_t *value)
{
	struct field_row row;

	*value = 0;
	if (!field_decode(offset, size, &row))
		return false;
	if (!bank_has(bank, &row))
		return true;
	for (uint32_t i = 0; i < row.count; i++) {
		const struct virq *irq = vgic_irq_const(&guest->vgic, bank.vcpu, row.intid + i);
		*value |= (uint64_t)field_get(irq, row.field) << (i * row.width);
	}
	return true;
}

bool vgic_bank_write(struct guest_state *guest, struct vgic_bank bank, uint32_t offset, uint8_t size, uint64_t value)
{
	struct field_row row;

	if (!field_decode(offset, size, &row))
		return false;
	if (!bank_has(bank, &row))
		return true;
	for (uint32_t i = 0; i < row.count; i++) {
		uint32_t intid = row.intid + i;
		uint32_t field_value = (uint32_t)(value >> (i * row.width)) & ((1u << row.width) - 1);
		field_set(vgic_irq(&guest->vgic, bank.vcpu, intid), row.field, field_value, intid < INTID_PPI_FIRST);
		vgic_irq_changed(&guest->vgic, bank.vcpu, intid);
	}
	return true;
}

uint64_t vgic_bank_id(uint32_t offset, uint8_t pidr0)
{
	static const uint8_t values[] = GIC_IDREG_VALUES;

	return offset == GIC_PIDR0 ? pidr0 : values[(offset - GIC_IDREGS) / 4];
}
