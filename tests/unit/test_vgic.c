/* The virtual GIC's lines, SGIs and list registers, case by case, against a model of the hardware's CPU interface. */
#include "tests/unit/vgic_model.h"

TestSuite(vgic, .timeout = 900);

Test(vgic, nothing_pending_leaves_empty_list_registers_and_no_maintenance)
{
	guest_setup(1);
	guest.vcpu[0].ich_hcr |= BIT(10) | ICH_HCR_NPIE; /* TC is another's */
	flush(0);
	cr_assert_eq(guest.vcpu[0].ich_hcr, ICH_HCR_EN | BIT(10));
	for (int i = 0; i < GUEST_LR_COUNT; i++)
		cr_assert_eq(guest.vcpu[0].ich_lr[i], 0);
	cr_assert_not(vgic_has_pending(&guest, 0));
}

Test(vgic, an_edge_is_delivered_once_and_injected_once)
{
	guest_setup(1);
	irq_setup(40, 0xa0, true);
	set_line(40, true);
	cr_assert_eq(injected_count, 1);
	cr_assert_eq(injected_intid[0], 40);
	set_line(40, false);
	cr_assert_eq(injected_count, 0, "it was pending in a list register before");
	ack(40);
	cr_assert_not(eoi(40));
	vgic_fold(&guest, 0);
	cr_assert_not(vgic_has_pending(&guest, 0));
	flush(0);
	cr_assert_eq(hw_signalled(&guest.vcpu[0]), -1);
}

Test(vgic, an_edge_while_active_comes_again_after_the_end)
{
	guest_setup(1);
	irq_setup(40, 0xa0, true);
	set_line(40, true);
	ack(40);
	set_line(40, false);
	set_line(40, true);
	cr_assert_eq(injected_count, 1);
	cr_assert_eq(hw_signalled(&guest.vcpu[0]), -1);
	cr_assert_not(eoi(40));
	ack(40);
	cr_assert_not(eoi(40));
	cr_assert_eq(hw_signalled(&guest.vcpu[0]), -1);
}

Test(vgic, a_level_that_stays_high_comes_out_at_the_end_and_is_delivered_again)
{
	guest_setup(1);
	irq_setup(GUEST_INTID_UART, 0xa0, false);
	set_line(GUEST_INTID_UART, true);
	ack(GUEST_INTID_UART);
	cr_assert(eoi(GUEST_INTID_UART), "nothing exited since it was acknowledged");
	cr_assert_eq(injected_count, 1);
	ack(GUEST_INTID_UART);
	vgic_fold(&guest, 0); /* an unrelated exit: pending and active from here */
	flush(0);
	cr_assert_eq(injected_count, 1);
	cr_assert_not(eoi(GUEST_INTID_UART));
	ack(GUEST_INTID_UART);
	set_line(GUEST_INTID_UART, false);
	cr_assert_not(eoi(GUEST_INTID_UART), "a low line needs no second look");
	cr_assert_eq(hw_signalled(&guest.vcpu[0]), -1);
}

Test(vgic, a_level_that_drops_before_the_acknowledge_is_withdrawn)
{
	guest_setup(1);
	irq_setup(GUEST_INTID_UART, 0xa0, false);
	set_line(GUEST_INTID_UART, true);
	cr_assert_eq(hw_signalled_intid(&guest.vcpu[0]), GUEST_INTID_UART);
	set_line(GUEST_INTID_UART, false);
	cr_assert_eq(hw_signalled(&guest.vcpu[0]), -1);
	set_line(GUEST_INTID_UART, true);
	cr_assert_eq(injected_count, 1, "it is news again");
}

Test(vgic, the_virtual_timer_is_bound_to_the_physical_one_and_never_pending_and_active)
{
	guest_setup(1);
	irq_setup(GUEST_INTID_VTIMER, 0xa0, false);
	set_line(GUEST_INTID_VTIMER, true);
	uint64_t lr = lr_of(0, GUEST_INTID_VTIMER);
	cr_assert(lr & ICH_LR_HW);
	cr_assert_eq((lr >> 32) & 0x3ff, GUEST_INTID_VTIMER);
	ack(GUEST_INTID_VTIMER);
	set_line(GUEST_INTID_VTIMER, true);
	cr_assert_eq(lr_of(0, GUEST_INTID_VTIMER) & (ICH_LR_PENDING | ICH_LR_ACTIVE), ICH_LR_ACTIVE);
	cr_assert_not(eoi(GUEST_INTID_VTIMER));
	vgic_fold(&guest, 0);
	flush(0);
	cr_assert_eq(lr_of(0, GUEST_INTID_VTIMER), 0, "the end lowered the line");
	set_line(GUEST_INTID_VTIMER, true);
	ack(GUEST_INTID_VTIMER);
}

Test(vgic, the_virtual_timer_keeps_its_list_register_under_deep_nesting)
{
	guest_setup(1);
	irq_setup(GUEST_INTID_VTIMER, 0xf0, false);
	set_line(GUEST_INTID_VTIMER, true);
	ack(GUEST_INTID_VTIMER);
	for (uint32_t i = 0; i < 8; i++) {
		irq_setup(40 + i, (uint8_t)(0xe0 - i * 8), true);
		set_line(40 + i, true);
		ack(40 + i);
	}
	vgic_fold(&guest, 0);
	flush(0);
	cr_assert(lr_of(0, GUEST_INTID_VTIMER) & ICH_LR_ACTIVE);
	cr_assert(guest.vcpu[0].ich_hcr & ICH_HCR_LRENPIE);
	for (uint32_t i = 8; i-- > 0;)
		eoi(40 + i);
	eoi(GUEST_INTID_VTIMER);
	vgic_fold(&guest, 0);
	for (uint32_t i = 0; i < GUEST_INTID_COUNT; i++)
		cr_assert_eq(vgic_irq(&guest.vgic, 0, i)->active, 0);
}

Test(vgic, a_storm_is_delivered_in_priority_order_and_equals_by_intid)
{
	guest_setup(1);
	for (uint32_t i = 0; i < 40; i++) {
		irq_setup(200 - i, (uint8_t)(0x80 + i / 10 * 8), true);
		vgic_set_level(&guest, 0, 200 - i, true);
	}
	flush(0);
	for (uint32_t i = 0; i < 40; i++) {
		uint32_t intid = 200 - (i / 10 * 10 + 9 - i % 10);
		ack(intid);
		if (hw_maintenance(&guest.vcpu[0])) {
			vgic_fold(&guest, 0);
			flush(0);
		}
		eoi(intid);
	}
	cr_assert_eq(hw_signalled(&guest.vcpu[0]), -1);
	vgic_fold(&guest, 0);
	cr_assert_eq(vgic_next_live(&guest.vgic, 0, 0), GUEST_INTID_COUNT);
}

Test(vgic, group_0_pending_but_disabled_at_the_cpu_interface_does_not_starve_group_1)
{
	guest_setup(1);
	guest.vcpu[0].ich_vmcr &= ~ICH_VMCR_VENG0;
	for (uint32_t i = 0; i < 8; i++) {
		irq_setup(32 + i, 0x20, true);
		vgic_set_level(&guest, 0, 32 + i, true);
	}
	gicd_write(GIC_IGROUPR + 4, ~UINT32_C(0xff));
	irq_setup(100, 0xa0, true);
	set_line(100, true);
	ack(100);
	eoi(100);
	cr_assert_not(hw_maintenance(&guest.vcpu[0]));
	guest.vcpu[0].ich_vmcr |= ICH_VMCR_VENG0;
	cr_assert(hw_maintenance(&guest.vcpu[0]));
	vgic_fold(&guest, 0);
	flush(0);
	cr_assert_eq(lr_of(0, 32) & ICH_LR_GROUP1, 0);
	ack(32);
}

Test(vgic, a_priority_written_while_active_does_not_lose_the_end)
{
	guest_setup(1);
	irq_setup(40, 0xa0, true);
	set_line(40, true);
	ack(40);
	vgic_fold(&guest, 0);
	priority_write(0, 40, 0x20);
	flush(0);
	cr_assert_not(eoi(40));
	cr_assert_eq(lr_of(0, 40), 0);
}

Test(vgic, disabled_interrupts_and_groups_are_not_delivered_but_stay_pending)
{
	uint64_t value;

	guest_setup(1);
	irq_setup(40, 0xa0, true);
	set_line(40, true);
	vgic_fold(&guest, 0);
	config_write(0, GIC_ICENABLER, 40);
	cr_assert_not(vgic_has_pending(&guest, 0));
	flush(0);
	cr_assert_eq(lr_of(0, 40), 0);
	cr_assert(vgicd_read(&guest, GIC_ISPENDR + 4, 4, &value));
	cr_assert_eq(value, 1u << 8);
	config_write(0, GIC_ISENABLER, 40);
	gicd_write(GICD_CTLR, GICD_CTLR_ENABLE_GRP0);
	cr_assert_not(vgic_has_pending(&guest, 0));
	flush(0);
	cr_assert_eq(lr_of(0, 40), 0);
	gicd_write(GICD_CTLR, GICD_CTLR_ENABLE_GRP1);
	cr_assert(vgic_has_pending(&guest, 0));
	flush(0);
	cr_assert_eq(injected_count, 1);
	ack(40);
}

Test(vgic, wfi_wakes_only_for_what_is_signalled)
{
	struct vcpu_state *cpu = &guest.vcpu[0];

	guest_setup(1);
	irq_setup(40, 0xa0, true);
	irq_setup(41, 0xa0, true);
	set_line(40, true);
	vgic_fold(&guest, 0);
	cr_assert(vgic_has_pending(&guest, 0));
	cpu->ich_vmcr = (cpu->ich_vmcr & ~FIELD_MASK(ICH_VMCR_VPMR)) | FIELD_PUT(ICH_VMCR_VPMR, 0xa0);
	cr_assert_not(vgic_has_pending(&guest, 0), "masked");
	cpu->ich_vmcr |= FIELD_MASK(ICH_VMCR_VPMR);
	flush(0);
	ack(40);
	set_line(41, true);
	vgic_fold(&guest, 0);
	cr_assert_not(vgic_has_pending(&guest, 0), "not above the running priority");
	priority_write(0, 41, 0x90);
	cr_assert(vgic_has_pending(&guest, 0));
	cpu->ich_vmcr = (cpu->ich_vmcr & ~FIELD_MASK(ICH_VMCR_VBPR1)) | FIELD_PUT(ICH_VMCR_VBPR1, 7);
	cr_assert_not(vgic_has_pending(&guest, 0), "the same group priority: 0x80");
	cpu->ich_vmcr &= ~ICH_VMCR_VENG1;
	cpu->ich_ap1r0 = 0;
	cr_assert_not(vgic_has_pending(&guest, 0), "group disabled");
	cpu->ich_vmcr |= ICH_VMCR_VENG1;
	cr_assert(vgic_has_pending(&guest, 0));
}

static uint32_t sgi_pending(uint32_t intid)
{
	uint32_t vcpus = 0;

	for (uint32_t i = 0; i < GUEST_VCPU_MAX; i++)
		vcpus |= (uint32_t)vgic_irq(&guest.vgic, i, intid)->pending << i;
	return vcpus;
}

Test(vgic, sgis_reach_the_vcpus_that_they_name)
{
	guest_setup(4);
	vgic_sgi(&guest, 0, sgi(1, 0x1));
	cr_assert_eq(sgi_pending(1), 0x1, "self");
	vgic_sgi(&guest, 0, sgi(2, 0xa));
	cr_assert_eq(sgi_pending(2), 0xa);
	vgic_sgi(&guest, 2, sgi(3, 0) | ICC_SGI_IRM);
	cr_assert_eq(sgi_pending(3), 0xb, "all but self");
	vgic_sgi(&guest, 0, sgi(4, 0xfff0));
	vgic_sgi(&guest, 0, sgi(4, 0xf) | FIELD_PUT(ICC_SGI_AFF1, 1));
	vgic_sgi(&guest, 0, sgi(4, 0xf) | FIELD_PUT(ICC_SGI_AFF2, 1));
	vgic_sgi(&guest, 0, sgi(4, 0xf) | FIELD_PUT(ICC_SGI_AFF3, 1));
	vgic_sgi(&guest, 0, sgi(4, 0xf) | FIELD_PUT(ICC_SGI_RS, 1));
	cr_assert_eq(sgi_pending(4), 0, "nobody there");
	gicr_write(1, GIC_IGROUPR, ~(UINT32_C(1) << 5));
	vgic_sgi(&guest, 0, sgi(5, 0x3));
	cr_assert_eq(sgi_pending(5), 0x1, "group 0 on vCPU 1");
}

Test(vgic, sgi_0_of_group_0_and_priority_0_is_delivered_too)
{
	guest_setup(1);
	gicr_write(0, GIC_IGROUPR, 0);
	gicr_write(0, GIC_ISENABLER, 1);
	gicr_write(0, GIC_ISPENDR, 1);
	flush(0);
	ack(0);
	eoi(0);
	vgic_fold(&guest, 0);
	cr_assert_eq(guest.vgic.redist[0].irq[0].pending, 0);
	cr_assert_eq(guest.vgic.redist[0].live, 0);
}

Test(vgic, folding_twice_is_folding_once)
{
	guest_setup(1);
	irq_setup(40, 0xa0, true);
	set_line(40, true);
	ack(40);
	vgic_fold(&guest, 0);
	vgic_set_level(&guest, 0, 40, false);
	vgic_set_level(&guest, 0, 40, true);
	struct guest_state before = guest;
	vgic_fold(&guest, 0);
	cr_assert_eq(memcmp(&before, &guest, sizeof guest), 0);
	cr_assert_eq(vgic_irq(&guest.vgic, 0, 40)->pending, 1);
}

Test(vgic, ends_that_match_nothing_are_ignored)
{
	guest_setup(1);
	guest.vcpu[0].ich_hcr |= FIELD_PUT(ICH_HCR_EOICOUNT, 31);
	vgic_fold(&guest, 0);
	cr_assert_eq(FIELD_GET(guest.vcpu[0].ich_hcr, ICH_HCR_EOICOUNT), 0);
	guest.vgic.redist[0].lr_used = UINT32_MAX;
	guest.vcpu[0].ich_lr[0] = UINT64_MAX; /* no such interrupt */
	vgic_fold(&guest, 0);
	cr_assert_eq(guest.vcpu[0].ich_lr[0], 0);
}

Test(vgic, a_pending_interrupt_that_is_routed_elsewhere_is_news_there)
{
	guest_setup(2);
	irq_setup(40, 0xa0, true);
	set_line(40, true);
	vgic_fold(&guest, 0);
	cr_assert(vgicd_write(&guest, GICD_IROUTER + 8 * 40, 8, 1));
	flush(0);
	cr_assert_eq(injected_count, 0);
	cr_assert_eq(lr_of(0, 40), 0);
	flush(1);
	cr_assert_eq(injected_count, 1);
	cr_assert_eq(hw_ack(&guest.vcpu[1]), 40);
}
