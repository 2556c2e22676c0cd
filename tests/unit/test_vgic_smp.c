/* The virtual GIC with several redistributors, case by case: whose an interrupt is. */
#include "tests/unit/vgic_model.h"

TestSuite(vgic_smp, .timeout = 300);

static void enable(uint32_t vcpu, uint32_t intid)
{
	config_write(vcpu, GIC_ISENABLER, intid);
	priority_write(vcpu, intid, 0xa0);
}

static void route(uint32_t intid, uint64_t to)
{
	cr_assert(vgicd_write(&guest, GICD_IROUTER + 8 * intid, 8, to));
}

/* The turn goes from one to the other. */
static void turn(uint32_t from, uint32_t to)
{
	vgic_fold(&guest, from);
	flush(to);
}

static uint32_t signalled(uint32_t vcpu)
{
	return hw_signalled_intid(&guest.vcpu[vcpu]);
}

Test(vgic_smp, a_ppi_is_each_vcpu_s_own)
{
	guest_setup(3);
	for (uint32_t i = 0; i < 3; i++)
		enable(i, GUEST_INTID_VTIMER);
	vgic_set_level(&guest, 1, GUEST_INTID_VTIMER, true);
	for (uint32_t i = 0; i < 3; i++)
		cr_assert_eq(vgic_has_pending(&guest, i), i == 1);
	flush(0);
	cr_assert_eq(signalled(0), NO_INTID);
	turn(0, 1);
	cr_assert_eq(signalled(1), GUEST_INTID_VTIMER);
	cr_assert_eq(hw_ack(&guest.vcpu[1]), GUEST_INTID_VTIMER);
	vgic_set_level(&guest, 2, GUEST_INTID_VTIMER, true);
	turn(1, 2);
	cr_assert_eq(signalled(2), GUEST_INTID_VTIMER, "vCPU 1 still handles its own");
	cr_assert_eq(guest.vgic.redist[1].irq[GUEST_INTID_VTIMER].active & 1, 1);
	turn(2, 1);
	cr_assert_eq(lr_of(1, GUEST_INTID_VTIMER) & (ICH_LR_ACTIVE | ICH_LR_HW), ICH_LR_ACTIVE | ICH_LR_HW);
	hw_eoi(&guest.vcpu[1], GUEST_INTID_VTIMER);
	vgic_fold(&guest, 1);
	cr_assert_eq(guest.vgic.redist[1].irq[GUEST_INTID_VTIMER].level, 0);
	cr_assert_eq(guest.vgic.redist[2].irq[GUEST_INTID_VTIMER].level, 1);
}

Test(vgic_smp, each_target_of_an_sgi_has_one_of_its_own)
{
	guest_setup(8);
	for (uint32_t i = 0; i < 8; i++)
		enable(i, 7);
	vgic_sgi(&guest, 3, sgi(7, 0) | ICC_SGI_IRM);
	flush(3);
	cr_assert_eq(signalled(3), NO_INTID, "all but itself");
	for (uint32_t i = 0, last = 3; i < 8; i++) {
		if (i == 3)
			continue;
		turn(last, i);
		cr_assert_eq(injected_count, 1);
		cr_assert_eq(hw_ack(&guest.vcpu[i]), 7);
		hw_eoi(&guest.vcpu[i], 7);
		cr_assert_eq(signalled(i), NO_INTID, "once");
		last = i;
	}
	vgic_fold(&guest, 7);
	for (uint32_t i = 0; i < 8; i++)
		cr_assert_not(vgic_has_pending(&guest, i));
}

Test(vgic_smp, an_sgi_to_the_list_and_oneself)
{
	guest_setup(8);
	for (uint32_t i = 0; i < 8; i++)
		enable(i, 2);
	vgic_sgi(&guest, 5, sgi(2, 0xa5a1));
	for (uint32_t i = 0; i < 8; i++)
		cr_assert_eq(vgic_has_pending(&guest, i), 0xa1 >> i & 1, "vCPU %u", i);
}

Test(vgic_smp, an_spi_goes_where_it_is_routed)
{
	guest_setup(4);
	enable(0, 40);
	route(40, 2);
	vgic_set_level(&guest, 0, 40, true);
	for (uint32_t i = 0; i < 4; i++)
		cr_assert_eq(vgic_has_pending(&guest, i), i == 2);
	route(40, 3);
	for (uint32_t i = 0; i < 4; i++)
		cr_assert_eq(vgic_has_pending(&guest, i), i == 3);
	route(40, 4);
	for (uint32_t i = 0; i < 4; i++)
		cr_assert_not(vgic_has_pending(&guest, i), "there is no vCPU 4");
	route(40, 0x102);
	for (uint32_t i = 0; i < 4; i++)
		cr_assert_not(vgic_has_pending(&guest, i), "nor another cluster");
	route(40, BIT(31) | 1);
	for (uint32_t i = 0; i < 4; i++)
		cr_assert_eq(vgic_has_pending(&guest, i), i == 1, "there is no 1 of N");
}

/* In its list register, and told: then it goes elsewhere and comes back. */
Test(vgic_smp, an_spi_that_is_routed_away_and_back_is_news_again)
{
	guest_setup(2);
	enable(0, 40);
	vgic_set_level(&guest, 0, 40, true);
	flush(0);
	cr_assert_eq(injected_count, 1);
	vgic_fold(&guest, 0);
	route(40, 1);
	flush(0);
	cr_assert_eq(signalled(0), NO_INTID);
	vgic_fold(&guest, 0);
	route(40, 0);
	flush(0);
	cr_assert_eq(injected_count, 1);
	cr_assert_eq(signalled(0), 40);
}

/* Who acknowledged it ends it; what comes meanwhile goes to the new one. */
Test(vgic_smp, an_spi_that_is_routed_away_while_it_is_active_comes_there_after_its_end)
{
	guest_setup(2);
	enable(0, 40);
	edge_write(0, 40);
	vgic_set_level(&guest, 0, 40, true);
	flush(0);
	cr_assert_eq(hw_ack(&guest.vcpu[0]), 40);
	vgic_fold(&guest, 0);
	route(40, 1);
	vgic_set_level(&guest, 0, 40, false);
	vgic_set_level(&guest, 0, 40, true);
	cr_assert_not(vgic_has_pending(&guest, 1), "it is active");
	flush(1);
	cr_assert_eq(signalled(1), NO_INTID);
	turn(1, 0);
	cr_assert_eq(lr_of(0, 40) & (ICH_LR_ACTIVE | ICH_LR_PENDING), ICH_LR_ACTIVE, "not again on this one");
	hw_eoi(&guest.vcpu[0], 40);
	turn(0, 1);
	cr_assert_eq(signalled(1), 40);
	cr_assert_eq(injected_count, 1);
	cr_assert_eq(hw_ack(&guest.vcpu[1]), 40);
}

/* What is active on one vCPU masks nothing on another. */
Test(vgic_smp, priorities_are_each_vcpu_s_own)
{
	guest_setup(2);
	enable(0, 40);
	enable(1, 3);
	priority_write(0, 40, 0x20);
	vgic_set_level(&guest, 0, 40, true);
	flush(0);
	cr_assert_eq(hw_ack(&guest.vcpu[0]), 40);
	vgic_fold(&guest, 0);
	vgic_sgi(&guest, 0, sgi(3, 2));
	cr_assert(vgic_has_pending(&guest, 1));
	priority_write(0, 3, 0xf0);
	config_write(0, GIC_ISENABLER, 3);
	vgic_sgi(&guest, 0, sgi(3, 1));
	cr_assert_not(vgic_has_pending(&guest, 0), "a lower one waits on vCPU 0");
}

Test(vgic_smp, a_vcpu_s_reset_leaves_its_redistributor)
{
	guest_setup(2);
	enable(1, 3);
	vgic_sgi(&guest, 0, sgi(3, 2));
	struct vgic_state before = guest.vgic;
	vgic_reset_cpu(&guest.vcpu[1]);
	cr_assert_eq(memcmp(&before, &guest.vgic, sizeof(before)), 0);
	cr_assert_not(vgic_has_pending(&guest, 1), "its CPU interface is off");
	guest.vcpu[1].ich_vmcr |= FIELD_PUT(ICH_VMCR_VPMR, 0xf8) | ICH_VMCR_VENG1;
	cr_assert(vgic_has_pending(&guest, 1));
}

/* Each redistributor says whose it is, and the last one that it is the last (GICR_TYPER). */
Test(vgic_smp, redistributors_stand_in_a_row)
{
	uint64_t typer;
	guest_setup(5);
	for (uint32_t i = 0; i < 5; i++) {
		cr_assert(vgicr_read(&guest, i, 8, 8, &typer));
		cr_assert_eq(typer >> 32, i);
		cr_assert_eq(typer >> 8 & 0xffff, i);
		cr_assert_eq(typer >> 4 & 1, i == 4);
	}
}
