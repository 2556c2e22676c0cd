/* The virtual GIC: software-generated interrupts, the distributor's bits, the CPU interface, and interrupts taken by
 * polling. Nothing stays disabled or masked for ever: the next move of its kind sets it anew. */
#include "tests/guest/chaos/chaos.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"

enum { SPI_FIRST = 100, SPI_COUNT = 12, INTID_SPECIAL_FIRST = 1020, GICD_ICACTIVER = 0x380 };
#define CTLR_EOIMODE UINT64_C(2)

static uint32_t some_intid(void)
{
	switch (chaos_pick(4)) {
	case 0:
		return (uint32_t)chaos_pick(16);
	case 1:
		return chaos_pick(2) ? 27 : 30;
	default:
		return SPI_FIRST + (uint32_t)chaos_pick(SPI_COUNT);
	}
}

void chaos_sgi(void)
{
	for (uint64_t count = 1 + chaos_pick(4); count != 0; count--) {
		SYSREG_WRITE(icc_sgi1r_el1, chaos_pick(16) << 24 | chaos_pick(UINT64_C(1) << chaos_cpu_count));
		isb(); /* sent */
		chaos_spin(chaos_pick(6));
	}
	chaos_see(SYSREG_READ(isr_el1));
}

void chaos_distributor(void)
{
	for (uint64_t count = 1 + chaos_pick(6); count != 0; count--) {
		uint32_t intid = some_intid();
		uint32_t shared = SPI_FIRST + (uint32_t)chaos_pick(SPI_COUNT);
		switch (chaos_pick(8)) {
		case 0:
			gic_disable(intid);
			chaos_spin(chaos_pick(50));
			gic_enable(intid);
			break;
		case 1:
			gic_set_priority(intid, (uint8_t)chaos_pick(0xf0));
			break;
		case 2:
			gic_set_edge(shared, chaos_pick(2));
			break;
		case 3:
			gic_set_pending(shared);
			break;
		case 4:
			gic_set_pending(intid < 16 ? intid : shared);
			chaos_spin(chaos_pick(3));
			gic_clear_pending(intid < 16 ? intid : shared);
			break;
		case 5:
			chaos_see(gic_is_pending(intid));
			chaos_see(gic_is_active(intid));
			break;
		case 6:
			mmio_write32(GICD + GICD_ISACTIVER + shared / 32 * 4, 1u << shared % 32);
			chaos_spin(chaos_pick(20));
			mmio_write32(GICD + GICD_ICACTIVER + shared / 32 * 4, 1u << shared % 32);
			break;
		default:
			chaos_see(mmio_read32(GICD + GICD_IPRIORITYR + shared / 4 * 4));
			chaos_see(mmio_read32(GICD + GICD_ISENABLER + shared / 32 * 4));
			chaos_see(mmio_read32(GICR_SGI + smp_self() * UINT64_C(0x20000) + GICD_ISPENDR));
			break;
		}
	}
}

void chaos_cpu_interface(void)
{
	switch (chaos_pick(4)) {
	case 0:
		SYSREG_WRITE(icc_pmr_el1, chaos_pick(0x100));
		break;
	case 1:
		SYSREG_WRITE(icc_bpr1_el1, chaos_pick(8));
		break;
	case 2:
		SYSREG_WRITE(icc_igrpen1_el1, 0);
		break;
	default:
		mmio_write32(GICD + GICD_CTLR, 1 << 4);
		break;
	}
	isb(); /* in force */
	chaos_sgi();
	chaos_spin(chaos_pick(200));
	chaos_see(SYSREG_READ(icc_hppir1_el1));
	chaos_see(SYSREG_READ(icc_rpr_el1));
	chaos_see(SYSREG_READ(icc_ctlr_el1));
	mmio_write32(GICD + GICD_CTLR, 1 << 4 | 1 << 1);
	SYSREG_WRITE(icc_igrpen1_el1, 1);
	SYSREG_WRITE(icc_pmr_el1, 0xff);
	isb(); /* in force */
}

/* Interrupts without exceptions, some of them with the end in two steps. */
void chaos_acknowledge(void)
{
	bool two_steps = chaos_pick(2);
	irq_mask();
	SYSREG_WRITE(icc_ctlr_el1, two_steps ? CTLR_EOIMODE : 0);
	isb(); /* in force */
	chaos_sgi();
	for (uint64_t count = chaos_pick(6); count != 0; count--) {
		uint64_t intid = SYSREG_READ(icc_iar1_el1);
		chaos_see(intid);
		chaos_spin(chaos_pick(30));
		if (intid >= INTID_SPECIAL_FIRST)
			break;
		if (intid == 27)
			chaos_vtimer_set();
		if (intid == 30)
			chaos_ptimer_set();
		SYSREG_WRITE(icc_eoir1_el1, intid);
		isb(); /* the priority has dropped */
		if (two_steps) {
			chaos_spin(chaos_pick(9));
			SYSREG_WRITE(icc_dir_el1, intid);
			isb(); /* inactive */
		}
	}
	SYSREG_WRITE(icc_ctlr_el1, 0);
	isb(); /* in force before an interrupt is taken by exception */
	irq_unmask();
}
