/* List registers in and out, and the virtual timer's physical interrupt, which has to be active (silent) exactly while
 * its line is up or the guest handles it. The guest's EOI of a HW list register makes it inactive. */
#include "hv/core/interrupts.h"
#include "hv/arch/arch.h"
#include "hv/arch/hot.h"
#include "hv/board/board.h"
#include "hv/core/guest_clock.h"
#include "hv/core/hv.h"
#include "hv/dev/vgic.h"

static uint32_t taken; /* acknowledged, not yet acted on */
/* By vCPU: each has a CPU of its own. */
static bool vtimer_silenced[GUEST_VCPU_MAX];      /* the physical interrupt is active */
static bool maintenance_silenced[GUEST_VCPU_MAX]; /* the virtual GIC's maintenance interrupt is */

static const struct virq *virq_of(uint32_t intid)
{
	return vgic_irq_const(&hv.guest.vgic, hv.guest.current, intid);
}

/* Its line is up, or the guest is in its handler. */
static bool vtimer_handled(void)
{
	const struct virq *vtimer = virq_of(GUEST_INTID_VTIMER);
	return vtimer->level || vtimer->active;
}

static HV_APART void level_change(uint32_t intid, bool level)
{
	interrupts_fold();
	vgic_set_level(&hv.guest, hv.guest.current, intid, level);
}

void interrupts_set_level(uint32_t intid, bool level)
{
	if (virq_of(intid)->level != level)
		level_change(intid, level);
}

void interrupts_sample_vtimer(void)
{
	struct vcpu_state *vcpu = hv_vcpu();
	arch_vtimer_save(vcpu);
	interrupts_set_level(GUEST_INTID_VTIMER, guest_clock_timer_line(vcpu->cntv_ctl_el0, vcpu->cntv_cval_el0));
}

void interrupts_fold(void)
{
	bool handled = vtimer_handled();
	if (hv.guest.vgic.stage == VGIC_FOLDED)
		return;
	if (hv.guest.vgic.stage == VGIC_LOADED)
		arch_ich_save(hv_vcpu());
	hv.guest.vgic.stage = VGIC_FOLDED;
	vgic_fold(&hv.guest, hv.guest.current);
	if (handled && !vtimer_handled())
		interrupts_sample_vtimer(); /* the guest ended it; the timer may be due again */
}

bool interrupts_level(uint32_t vcpu, uint32_t intid)
{
	return vgic_irq_const(&hv.guest.vgic, vcpu, intid)->level;
}

void interrupts_flush(vgic_inject_fn *injected)
{
	if (hv.guest.vgic.stage != VGIC_FOLDED)
		return;
	vgic_flush(&hv.guest, hv.guest.current, injected);
	hv.guest.vgic.stage = VGIC_FLUSHED;
}

void interrupts_load(void)
{
	if (hv.guest.vgic.stage == VGIC_LOADED)
		return;
	arch_ich_load(hv_vcpu());
	bool *maintenance = &maintenance_silenced[hv.guest.current], *vtimer = &vtimer_silenced[hv.guest.current];
	if (*maintenance)
		board_maintenance_rearm();
	*maintenance = false;
	if (vtimer_handled() != *vtimer) {
		*vtimer = !*vtimer;
		board_vtimer_set_active(*vtimer);
	}
	hv.guest.vgic.stage = VGIC_LOADED;
}

bool interrupts_are_loaded(void)
{
	return hv.guest.vgic.stage == VGIC_LOADED;
}

void interrupts_save(void)
{
	if (hv.guest.vgic.stage == VGIC_LOADED)
		arch_ich_save(hv_vcpu());
}

void interrupts_restore(void)
{
	arch_ich_restore(hv_vcpu());
}

bool interrupts_pending(void)
{
	interrupts_fold();
	return vgic_has_pending(&hv.guest, hv.guest.current);
}

bool interrupts_deliverable(void)
{
	interrupts_save();
	return vgic_lr_deliverable(hv_vcpu());
}

bool interrupts_acknowledged(void)
{
	uint64_t before[GUEST_LR_COUNT], changed = 0;
	for (uint32_t i = 0; i < GUEST_LR_COUNT; i++)
		before[i] = hv_vcpu()->ich_lr[i];
	interrupts_save();
	for (uint32_t i = 0; i < GUEST_LR_COUNT; i++)
		changed |= before[i] ^ hv_vcpu()->ich_lr[i];
	return changed != 0;
}

bool interrupts_enabled(uint32_t vcpu, uint32_t intid)
{
	return vgic_irq_const(&hv.guest.vgic, vcpu, intid)->enabled;
}

void interrupts_taken_add(uint32_t irqs)
{
	taken |= irqs;
	if (irqs & BOARD_IRQ_VTIMER)
		vtimer_silenced[hv.guest.current] = true;
	if (irqs & BOARD_IRQ_MAINTENANCE)
		maintenance_silenced[hv.guest.current] = true;
}

uint32_t interrupts_taken(void)
{
	return taken;
}

void interrupts_taken_forget(void)
{
	taken = 0;
}
