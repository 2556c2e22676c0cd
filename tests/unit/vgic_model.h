/* A model of the hardware's virtual CPU interface (IHI 0069, 4.8 and 12.4; QEMU's icv_* where that leaves a choice),
 * and a guest that is set up as Linux does it, for the tests of the virtual GIC. Each test file has a guest of its own.
 */
#pragma once
#include "hv/dev/vgic.h"
#include "hv/dev/vgic_regs.h"
#include "hv/dev/vgicd.h"
#include "hv/dev/vgicr.h"
#include <criterion/criterion.h>
#include <string.h>

enum { NO_INTID = 1023 };

static struct guest_state guest;
static uint32_t injected_count;
static uint32_t injected_intid[2 * GUEST_LR_COUNT];

static inline void on_inject(uint32_t vcpu, uint32_t intid, uint8_t priority)
{
	cr_assert(injected_count < 2 * GUEST_LR_COUNT);
	cr_assert_lt(vcpu, guest.vcpu_count);
	cr_assert_eq(priority & ~VGIC_PRIORITY_MASK, 0);
	injected_intid[injected_count++] = intid;
}

/* ---- the hardware's CPU interface ---- */

static inline uint64_t hw_running(const struct vcpu_state *cpu)
{
	uint64_t active = cpu->ich_ap0r0 | cpu->ich_ap1r0;

	return active ? (uint64_t)__builtin_ctzll(active) << 3 : 0xff;
}

static inline bool hw_group_enabled(const struct vcpu_state *cpu, uint64_t lr)
{
	return cpu->ich_vmcr & (lr & ICH_LR_GROUP1 ? ICH_VMCR_VENG1 : ICH_VMCR_VENG0);
}

/* The list register of the interrupt that is signalled, or -1. */
static inline int hw_signalled(const struct vcpu_state *cpu)
{
	int best = -1;

	for (int i = 0; i < GUEST_LR_COUNT; i++) {
		uint64_t lr = cpu->ich_lr[i];
		if ((lr & (ICH_LR_PENDING | ICH_LR_ACTIVE)) != ICH_LR_PENDING || !hw_group_enabled(cpu, lr))
			continue;
		if (best < 0 || FIELD_GET(lr, ICH_LR_PRIORITY) < FIELD_GET(cpu->ich_lr[best], ICH_LR_PRIORITY))
			best = i;
	}
	if (best < 0)
		return -1;
	uint64_t priority = FIELD_GET(cpu->ich_lr[best], ICH_LR_PRIORITY);
	return priority < FIELD_GET(cpu->ich_vmcr, ICH_VMCR_VPMR) && priority < hw_running(cpu) ? best : -1;
}

static inline uint32_t hw_signalled_intid(const struct vcpu_state *cpu)
{
	int i = hw_signalled(cpu);

	return i < 0 ? NO_INTID : (uint32_t)FIELD_GET(cpu->ich_lr[i], ICH_LR_VINTID);
}

static inline uint32_t hw_ack(struct vcpu_state *cpu)
{
	int i = hw_signalled(cpu);

	if (i < 0)
		return NO_INTID;
	uint64_t bit = BIT(FIELD_GET(cpu->ich_lr[i], ICH_LR_PRIORITY) >> 3);
	if (cpu->ich_lr[i] & ICH_LR_GROUP1)
		cpu->ich_ap1r0 |= bit;
	else
		cpu->ich_ap0r0 |= bit;
	cpu->ich_lr[i] = (cpu->ich_lr[i] & ~ICH_LR_PENDING) | ICH_LR_ACTIVE;
	return (uint32_t)FIELD_GET(cpu->ich_lr[i], ICH_LR_VINTID);
}

static inline void hw_eoi(struct vcpu_state *cpu, uint32_t intid)
{
	uint64_t dropped = hw_running(cpu);

	if (dropped == 0xff)
		return;
	if (cpu->ich_ap0r0 & BIT(dropped >> 3))
		cpu->ich_ap0r0 &= ~BIT(dropped >> 3);
	else
		cpu->ich_ap1r0 &= ~BIT(dropped >> 3);
	for (int i = 0; i < GUEST_LR_COUNT; i++) {
		uint64_t lr = cpu->ich_lr[i];
		if (!(lr & ICH_LR_ACTIVE) || FIELD_GET(lr, ICH_LR_VINTID) != intid)
			continue;
		if (FIELD_GET(lr, ICH_LR_PRIORITY) == dropped)
			cpu->ich_lr[i] &= ~ICH_LR_ACTIVE;
		return;
	}
	cpu->ich_hcr += FIELD_PUT(ICH_HCR_EOICOUNT, 1);
}

/* Whether the maintenance interrupt is asserted. */
static inline bool hw_maintenance(const struct vcpu_state *cpu)
{
	uint32_t valid = 0, pending = 0, ended = 0;

	for (int i = 0; i < GUEST_LR_COUNT; i++) {
		uint64_t lr = cpu->ich_lr[i], state = lr & (ICH_LR_PENDING | ICH_LR_ACTIVE);
		valid += state != 0;
		pending += state == ICH_LR_PENDING;
		ended += !state && !(lr & ICH_LR_HW) && (lr & ICH_LR_EOI);
	}
	return ended || ((cpu->ich_hcr & ICH_HCR_UIE) && valid <= 1) || ((cpu->ich_hcr & ICH_HCR_NPIE) && !pending) ||
	       ((cpu->ich_hcr & ICH_HCR_LRENPIE) && FIELD_GET(cpu->ich_hcr, ICH_HCR_EOICOUNT)) ||
	       ((cpu->ich_hcr & ICH_HCR_VGRP0EIE) && (cpu->ich_vmcr & ICH_VMCR_VENG0)) ||
	       ((cpu->ich_hcr & ICH_HCR_VGRP0DIE) && !(cpu->ich_vmcr & ICH_VMCR_VENG0)) ||
	       ((cpu->ich_hcr & ICH_HCR_VGRP1EIE) && (cpu->ich_vmcr & ICH_VMCR_VENG1)) ||
	       ((cpu->ich_hcr & ICH_HCR_VGRP1DIE) && !(cpu->ich_vmcr & ICH_VMCR_VENG1));
}

/* ---- a guest that is set up as Linux does it ---- */

static inline void gicd_write(uint32_t offset, uint64_t value)
{
	cr_assert(vgicd_write(&guest, offset, 4, value));
}

static inline void gicr_write(uint32_t vcpu, uint32_t offset, uint64_t value)
{
	cr_assert(vgicr_write(&guest, vcpu, GICR_SGI_FRAME + offset, 4, value));
}

static inline void config_write(uint32_t vcpu, uint32_t base, uint32_t intid)
{
	if (intid < INTID_SPI_FIRST)
		gicr_write(vcpu, base, 1u << intid);
	else
		gicd_write(base + intid / 32 * 4, 1u << intid % 32);
}

static inline void priority_write(uint32_t vcpu, uint32_t intid, uint8_t priority)
{
	if (intid < INTID_SPI_FIRST)
		cr_assert(vgicr_write(&guest, vcpu, GICR_SGI_FRAME + GIC_IPRIORITYR + intid, 1, priority));
	else
		cr_assert(vgicd_write(&guest, GIC_IPRIORITYR + intid, 1, priority));
}

static inline void edge_write(uint32_t vcpu, uint32_t intid)
{
	uint32_t offset = GIC_ICFGR + intid / 16 * 4;
	uint64_t value;

	if (intid < INTID_SPI_FIRST) {
		cr_assert(vgicr_read(&guest, vcpu, GICR_SGI_FRAME + offset, 4, &value));
		gicr_write(vcpu, offset, value | 2u << intid % 16 * 2);
	} else {
		cr_assert(vgicd_read(&guest, offset, 4, &value));
		gicd_write(offset, value | 2u << intid % 16 * 2);
	}
}

static inline void guest_setup(uint32_t vcpu_count)
{
	memset(&guest, 0, sizeof guest);
	guest.vcpu_count = vcpu_count;
	vgic_reset(&guest);
	injected_count = 0;
	gicd_write(GICD_CTLR, GICD_CTLR_ENABLE_GRP0 | GICD_CTLR_ENABLE_GRP1);
	for (uint32_t word = 1; word < GUEST_INTID_COUNT / 32; word++)
		gicd_write(GIC_IGROUPR + word * 4, UINT32_MAX);
	for (uint32_t vcpu = 0; vcpu < vcpu_count; vcpu++) {
		gicr_write(vcpu, GIC_IGROUPR, UINT32_MAX);
		guest.vcpu[vcpu].ich_vmcr |= FIELD_PUT(ICH_VMCR_VPMR, 0xf8) | ICH_VMCR_VENG0 | ICH_VMCR_VENG1;
	}
}

static inline void irq_setup(uint32_t intid, uint8_t priority, bool edge)
{
	config_write(0, GIC_ISENABLER, intid);
	priority_write(0, intid, priority);
	if (edge)
		edge_write(0, intid);
}

static inline void flush(uint32_t vcpu)
{
	injected_count = 0;
	vgic_flush(&guest, vcpu, on_inject);
}

static inline void set_line(uint32_t intid, bool level)
{
	vgic_fold(&guest, 0);
	vgic_set_level(&guest, 0, intid, level);
	flush(0);
}

static inline void ack(uint32_t expected)
{
	cr_assert_eq(hw_signalled_intid(&guest.vcpu[0]), expected);
	cr_assert_eq(hw_ack(&guest.vcpu[0]), expected);
}

/* The guest ends an interrupt; returns whether that brought it out, and serves the exit. */
static inline bool eoi(uint32_t intid)
{
	bool out;

	hw_eoi(&guest.vcpu[0], intid);
	out = hw_maintenance(&guest.vcpu[0]);
	if (out) {
		vgic_fold(&guest, 0);
		flush(0);
	}
	return out;
}

static inline uint64_t lr_of(uint32_t vcpu, uint32_t intid)
{
	for (int i = 0; i < GUEST_LR_COUNT; i++) {
		uint64_t lr = guest.vcpu[vcpu].ich_lr[i];
		if ((lr & (ICH_LR_ACTIVE | ICH_LR_PENDING)) && FIELD_GET(lr, ICH_LR_VINTID) == intid)
			return lr;
	}
	return 0;
}

static inline uint64_t sgi(uint64_t intid, uint64_t targets)
{
	return FIELD_PUT(ICC_SGI_INTID, intid) | FIELD_PUT(ICC_SGI_TARGETS, targets);
}
