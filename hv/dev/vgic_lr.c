/* The list registers: what the guest did in them (fold), and what they hold for the next entry (flush).
 *
 * With more interrupts than list registers:
 * 1. While a pending one waits outside, at least one pending one is inside, and all inside come before all outside.
 *    ICH_HCR_EL2.NPIE then brings the guest out exactly when the last pending one inside is acknowledged, before what
 *    waits could be missed. UIE would not do: with active ones inside, more than one register stays valid. Nor may an
 *    active one become pending inside at its end: it comes out then (LR.EOI).
 * 2. Pending ones of a group that the guest's CPU interface has disabled stay outside (they would keep NPIE quiet);
 *    VGrp<n>EIE brings the guest out when it enables the group, VGrp<n>DIE when it disables one while others wait.
 * 3. Of the active ones those of highest priority stay inside: they end first. LRENPIE reports the end of one outside.
 *    GUEST_INTID_VTIMER always stays: only its register deactivates the physical interrupt. */
#include "hv/abi/pstate.h"
#include "hv/dev/vgic.h"
#include "hv/dev/vgic_regs.h"

/* Candidates in the order in which the guest is to see them: ascending priority value, then INTID. */
enum { KEY_INTID_HI = 15, KEY_INTID_LO = 0, KEY_PRIORITY_HI = 23, KEY_PRIORITY_LO = 16, KEY_MOVABLE = 1 << 24 };

struct shortlist {
	uint32_t key[GUEST_LR_COUNT]; /* the first ones, sorted */
	uint32_t count;               /* of key */
	uint32_t total;               /* how many there were */
};

struct survey {
	struct shortlist pending;
	struct shortlist active;
	bool waiting[2]; /* by group: pending, but the guest's CPU interface has the group disabled */
};

#define KEY_NONE UINT32_MAX

/* Arm ARM C5.2.2 DAIF; the same bits in an AArch32 PSTATE. */

static const uint64_t group_vmcr_enable[2] = {ICH_VMCR_VENG0, ICH_VMCR_VENG1};
static const uint64_t group_ctlr_enable[2] = {GICD_CTLR_ENABLE_GRP0, GICD_CTLR_ENABLE_GRP1};
static const uint64_t group_enable_irq[2] = {ICH_HCR_VGRP0EIE, ICH_HCR_VGRP1EIE};
static const uint64_t group_disable_irq[2] = {ICH_HCR_VGRP0DIE, ICH_HCR_VGRP1DIE};

#define HCR_OWNED                                                                                                      \
	(FIELD_MASK(ICH_HCR_EOICOUNT) | ICH_HCR_VGRP1DIE | ICH_HCR_VGRP1EIE | ICH_HCR_VGRP0DIE | ICH_HCR_VGRP0EIE |    \
	 ICH_HCR_NPIE | ICH_HCR_LRENPIE | ICH_HCR_UIE | ICH_HCR_EN)

static uint32_t key_make(uint8_t priority, uint32_t intid)
{
	return (uint32_t)(FIELD_PUT(KEY_PRIORITY, priority & VGIC_PRIORITY_MASK) | FIELD_PUT(KEY_INTID, intid));
}

/* Adds `key` in its place. Returns the key that found no place, or KEY_NONE. */
static uint32_t shortlist_add(struct shortlist *list, uint32_t key)
{
	list->total++;
	for (uint32_t i = 0; i < list->count; i++) {
		uint32_t other = list->key[i];
		if (key < other) {
			list->key[i] = key;
			key = other;
		}
	}
	if (list->count == GUEST_LR_COUNT)
		return key;
	list->key[list->count++] = key;
	return KEY_NONE;
}

static bool is_hw(uint32_t intid)
{
	return intid == GUEST_INTID_VTIMER;
}

static bool routed(const struct vgic_state *vgic, uint32_t vcpu, uint32_t intid)
{
	return intid < INTID_SPI_FIRST || vgic->irouter[intid - INTID_SPI_FIRST] == vcpu;
}

/* Whether an interrupt is this vCPU's business: by its route, or while active by who acknowledged it. */
static bool belongs(const struct vgic_state *vgic, uint32_t vcpu, uint32_t intid, const struct virq *irq)
{
	uint32_t owner = irq->lr & ~(uint32_t)VIRQ_LR_PENDING;

	return owner ? owner == vcpu + 1 : routed(vgic, vcpu, intid);
}

/* Whether the distributor forwards an interrupt as pending to the CPU interface. */
static bool forwarded(const struct vgic_state *vgic, const struct virq *irq)
{
	return irq->enabled && vgic_irq_pending(irq) && (vgic->ctlr & group_ctlr_enable[irq->group]);
}

/* The same, of those that may stand in a list register: in a group that the guest's CPU interface has enabled. */
static bool loadable(const struct guest_state *guest, uint32_t vcpu, const struct virq *irq)
{
	return forwarded(&guest->vgic, irq) && (guest->vcpu[vcpu].ich_vmcr & group_vmcr_enable[irq->group]);
}

/* ---- fold ---- */

static void fold_lr(struct vgic_state *vgic, uint32_t vcpu, uint64_t lr)
{
	uint32_t intid = (uint32_t)FIELD_GET(lr, ICH_LR_VINTID);
	struct virq *irq = vgic_irq(vgic, vcpu, intid);

	if ((irq->lr & VIRQ_LR_PENDING) && !(lr & ICH_LR_PENDING)) {
		irq->pending = 0;
		irq->lr &= (uint8_t)~VIRQ_LR_PENDING;
	}
	irq->lr &= VIRQ_LR_PENDING;
	irq->active = 0;
	if (lr & ICH_LR_ACTIVE) {
		irq->active = (uint8_t)(FIELD_GET(lr, ICH_LR_PRIORITY) & VGIC_PRIORITY_MASK) | 1;
		irq->lr |= (uint8_t)(vcpu + 1);
	}
	/* The guest's end of interrupt deactivated the physical one: if the timer still fires, it will say so again. */
	if (is_hw(intid) && !(lr & (ICH_LR_PENDING | ICH_LR_ACTIVE)))
		irq->level = 0;
	vgic_irq_changed(vgic, vcpu, intid);
}

static bool is_in_lr(const struct guest_state *guest, uint32_t vcpu, uint32_t intid)
{
	for (uint32_t i = 0; i < GUEST_LR_COUNT; i++)
		if ((guest->vgic.redist[vcpu].lr_used >> i & 1) &&
		    FIELD_GET(guest->vcpu[vcpu].ich_lr[i], ICH_LR_VINTID) == intid)
			return true;
	return false;
}

/* The guest ended an interrupt that no list register held: the active one of highest priority outside of them. */
static void deactivate_outside(struct guest_state *guest, uint32_t vcpu)
{
	struct vgic_state *vgic = &guest->vgic;
	uint32_t first = KEY_NONE;

	for (uint32_t i = vgic_next_live(vgic, vcpu, 0); i < GUEST_INTID_COUNT; i = vgic_next_live(vgic, vcpu, i + 1)) {
		const struct virq *irq = vgic_irq(vgic, vcpu, i);
		uint32_t key = key_make(irq->active, i);
		if (irq->active && key < first && belongs(vgic, vcpu, i, irq) && !is_in_lr(guest, vcpu, i))
			first = key;
	}
	if (first == KEY_NONE)
		return;

	uint32_t intid = (uint32_t)FIELD_GET(first, KEY_INTID);
	struct virq *irq = vgic_irq(vgic, vcpu, intid);
	irq->active = 0;
	irq->lr &= VIRQ_LR_PENDING;
	vgic_irq_changed(vgic, vcpu, intid);
}

void vgic_fold(struct guest_state *guest, uint32_t vcpu)
{
	struct vcpu_state *cpu = &guest->vcpu[vcpu];
	struct vgic_redist_state *redist = &guest->vgic.redist[vcpu];
	uint64_t eoi_count = FIELD_GET(cpu->ich_hcr, ICH_HCR_EOICOUNT);

	for (; eoi_count; eoi_count--)
		deactivate_outside(guest, vcpu);
	cpu->ich_hcr &= ~FIELD_MASK(ICH_HCR_EOICOUNT);
	for (uint32_t i = 0; i < GUEST_LR_COUNT && redist->lr_used; i++) {
		if ((redist->lr_used >> i & 1) && FIELD_GET(cpu->ich_lr[i], ICH_LR_VINTID) < GUEST_INTID_COUNT)
			fold_lr(&guest->vgic, vcpu, cpu->ich_lr[i]);
		redist->lr_used &= ~(1u << i);
		cpu->ich_lr[i] = 0;
	}
}

/* ---- flush ---- */

static void leave_outside(struct vgic_state *vgic, uint32_t vcpu, uint32_t key)
{
	if (key != KEY_NONE)
		vgic_irq(vgic, vcpu, (uint32_t)FIELD_GET(key, KEY_INTID))->lr &= (uint8_t)~VIRQ_LR_PENDING;
}

static void survey_irq(struct survey *survey, struct guest_state *guest, uint32_t vcpu, uint32_t intid)
{
	struct vgic_state *vgic = &guest->vgic;
	const struct virq *irq = vgic_irq(vgic, vcpu, intid);

	if (!belongs(vgic, vcpu, intid, irq))
		return;
	if (forwarded(vgic, irq) && !loadable(guest, vcpu, irq))
		survey->waiting[irq->group] = true;
	if (irq->active) {
		uint32_t movable = is_hw(intid) ? 0 : KEY_MOVABLE;
		leave_outside(vgic, vcpu, shortlist_add(&survey->active, key_make(irq->active, intid) | movable));
	} else if (loadable(guest, vcpu, irq)) {
		leave_outside(vgic, vcpu, shortlist_add(&survey->pending, key_make(irq->priority, intid)));
	} else {
		leave_outside(vgic, vcpu, key_make(irq->priority, intid));
	}
}

/* Moves the first `limit` of `from` to `chosen`; the others stay outside. */
static void choose(struct shortlist *chosen, struct guest_state *guest, uint32_t vcpu, const struct shortlist *from,
		   uint32_t limit)
{
	for (uint32_t i = 0; i < from->count; i++) {
		if (i < limit)
			shortlist_add(chosen, from->key[i] & ~(uint32_t)KEY_MOVABLE);
		else
			leave_outside(&guest->vgic, vcpu, from->key[i]);
	}
}

/* Whether the guest is to see an interrupt (again, if it is active). While active, HW ones cannot be pending too, and
 * one that was routed to another vCPU since must not come again on this one. */
static bool wants_pending(const struct guest_state *guest, uint32_t vcpu, uint32_t intid, const struct virq *irq)
{
	if (irq->active && (is_hw(intid) || !routed(&guest->vgic, vcpu, intid)))
		return false;
	return loadable(guest, vcpu, irq);
}

/* Whether an active interrupt that is wanted again must come out at its end first, instead of becoming pending in its
 * list register: with another priority than it has there, or (rule 1) before others that wait outside. */
static bool comes_out(const struct virq *irq, bool crowded)
{
	return irq->active && (crowded || (irq->active & VGIC_PRIORITY_MASK) != irq->priority);
}

static uint64_t lr_make(const struct virq *irq, uint32_t key, bool wanted, bool crowded)
{
	uint32_t intid = (uint32_t)FIELD_GET(key, KEY_INTID);
	uint64_t lr = FIELD_PUT(ICH_LR_VINTID, intid) | FIELD_PUT(ICH_LR_PRIORITY, FIELD_GET(key, KEY_PRIORITY));

	if (irq->active)
		lr |= ICH_LR_ACTIVE;
	if (wanted && !comes_out(irq, crowded))
		lr |= ICH_LR_PENDING;
	if (irq->group)
		lr |= ICH_LR_GROUP1;
	/* A line that is high now may still be so at the end; one that is low exits when it rises. */
	bool look_again = wanted && (comes_out(irq, crowded) || (irq->level && !irq->edge));
	if (is_hw(intid))
		lr |= ICH_LR_HW | FIELD_PUT(ICH_LR_PINTID, intid);
	else if (look_again)
		lr |= ICH_LR_EOI;
	return lr;
}

static void load(struct guest_state *guest, uint32_t vcpu, uint64_t *slot, uint32_t key, bool crowded,
		 vgic_inject_fn *injected)
{
	uint32_t intid = (uint32_t)FIELD_GET(key, KEY_INTID);
	struct virq *irq = vgic_irq(&guest->vgic, vcpu, intid);
	uint64_t lr = lr_make(irq, key, wants_pending(guest, vcpu, intid, irq), crowded);
	bool news = (lr & ICH_LR_PENDING) && !(irq->lr & VIRQ_LR_PENDING);

	*slot = lr;
	irq->lr &= (uint8_t)~VIRQ_LR_PENDING;
	if (lr & ICH_LR_PENDING)
		irq->lr |= VIRQ_LR_PENDING;
	if (news)
		injected(vcpu, intid, (uint8_t)FIELD_GET(key, KEY_PRIORITY));
}

/* The maintenance interrupts that the choice needs: the rules at the top of the file. */
static uint64_t maintenance(const struct survey *survey, uint32_t active_limit, uint32_t pending_limit, uint64_t vmcr)
{
	uint64_t hcr = 0;

	if (survey->active.total > active_limit)
		hcr |= ICH_HCR_LRENPIE;
	if (survey->pending.total > pending_limit)
		hcr |= ICH_HCR_NPIE;
	for (uint32_t group = 0; group < 2; group++) {
		if (survey->waiting[group])
			hcr |= group_enable_irq[group];
		else if ((hcr & ICH_HCR_NPIE) && (vmcr & group_vmcr_enable[group]))
			hcr |= group_disable_irq[group];
	}
	return hcr;
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

void vgic_flush(struct guest_state *guest, uint32_t vcpu, vgic_inject_fn *injected)
{
	struct vcpu_state *cpu = &guest->vcpu[vcpu];
	struct vgic_redist_state *redist = &guest->vgic.redist[vcpu];
	struct survey survey = {.pending.count = 0};
	struct shortlist chosen = {.count = 0};
	uint32_t intid = vgic_next_live(&guest->vgic, vcpu, 0);

	if (intid == GUEST_INTID_COUNT && !redist->lr_used) {
		cpu->ich_hcr = (cpu->ich_hcr & ~HCR_OWNED) | ICH_HCR_EN;
		return;
	}
	for (; intid < GUEST_INTID_COUNT; intid = vgic_next_live(&guest->vgic, vcpu, intid + 1))
		survey_irq(&survey, guest, vcpu, intid);

	uint32_t active_limit = min_u32(survey.active.total, GUEST_LR_COUNT - (survey.pending.total != 0));
	uint32_t pending_limit = GUEST_LR_COUNT - active_limit;
	choose(&chosen, guest, vcpu, &survey.active, active_limit);
	choose(&chosen, guest, vcpu, &survey.pending, pending_limit);
	for (uint32_t i = 0; i < chosen.count; i++)
		load(guest, vcpu, &cpu->ich_lr[i], chosen.key[i], survey.pending.total > pending_limit, injected);
	for (uint32_t i = chosen.count; i < GUEST_LR_COUNT; i++)
		cpu->ich_lr[i] = 0;
	redist->lr_used = (1u << chosen.count) - 1;
	cpu->ich_hcr = (cpu->ich_hcr & ~HCR_OWNED) | ICH_HCR_EN |
		       maintenance(&survey, active_limit, pending_limit, cpu->ich_vmcr);
}

/* ---- what the CPU interface would signal ---- */

static uint32_t running_priority(const struct vcpu_state *cpu)
{
	uint32_t active = (uint32_t)(cpu->ich_ap0r0 | cpu->ich_ap1r0);

	return active ? (uint32_t)__builtin_ctz(active) << 3 : VGIC_PRIORITY_IDLE;
}

/* The bits of a priority that count for preemption (IHI 0069, 4.8.3). */
static uint32_t group_priority_mask(const struct vcpu_state *cpu, uint32_t group)
{
	uint64_t point = FIELD_GET(cpu->ich_vmcr, ICH_VMCR_VBPR0) + 1;

	if (group == 1 && !(cpu->ich_vmcr & ICH_VMCR_VCBPR))
		point = FIELD_GET(cpu->ich_vmcr, ICH_VMCR_VBPR1);
	return (uint32_t) ~(BIT(point) - 1);
}

static bool signalled(const struct vcpu_state *cpu, uint32_t priority, uint32_t group)
{
	uint32_t mask = group_priority_mask(cpu, group);
	uint32_t running = running_priority(cpu);

	if (priority >= FIELD_GET(cpu->ich_vmcr, ICH_VMCR_VPMR))
		return false;
	return running == VGIC_PRIORITY_IDLE || (priority & mask) < (running & mask);
}

bool vgic_has_pending(const struct guest_state *guest, uint32_t vcpu)
{
	const struct vgic_state *vgic = &guest->vgic;

	for (uint32_t i = vgic_next_live(vgic, vcpu, 0); i < GUEST_INTID_COUNT; i = vgic_next_live(vgic, vcpu, i + 1)) {
		const struct virq *irq = vgic_irq_const(vgic, vcpu, i);
		if (!irq->active && belongs(vgic, vcpu, i, irq) && loadable(guest, vcpu, irq) &&
		    signalled(&guest->vcpu[vcpu], irq->priority, irq->group))
			return true;
	}
	return false;
}

bool vgic_lr_deliverable(const struct vcpu_state *cpu)
{
	for (uint32_t i = 0; i < GUEST_LR_COUNT; i++) {
		uint64_t lr = cpu->ich_lr[i];
		uint32_t group = lr & ICH_LR_GROUP1 ? 1 : 0;
		bool masked = cpu->pstate & (group ? PSTATE_I : PSTATE_F);
		if ((lr & (ICH_LR_PENDING | ICH_LR_ACTIVE)) == ICH_LR_PENDING && !masked &&
		    cpu->ich_vmcr & group_vmcr_enable[group] &&
		    signalled(cpu, (uint32_t)FIELD_GET(lr, ICH_LR_PRIORITY), group))
			return true;
	}
	return false;
}
