/* One shared interrupt, made pending by software: pending, active, enable, edge and level, priority mask, withdrawal.
 */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "spi";

enum { SPI = 100, PRIORITY = 0x80 };

static volatile uint32_t taken;

static void take_spi(uint32_t intid)
{
	CHECK(intid == SPI, "wrong interrupt number");
	CHECK(gic_is_active(SPI), "not active while handled");
	CHECK(!gic_is_pending(SPI), "still pending while handled");
	CHECK(SYSREG_READ(icc_rpr_el1) == PRIORITY, "running priority is not the interrupt's");
	taken++;
}

static void expect(uint32_t count, const char *why)
{
	for (int i = 0; i < 100; i++)
		isb();
	CHECK(taken == count, why);
}

static void try_as(bool edge, uint32_t before)
{
	gic_set_edge(SPI, edge);
	CHECK((mmio_read32(GICD + GICD_ICFGR + SPI / 16 * 4) >> SPI % 16 * 2 & 2) == (edge ? 2 : 0), "ICFGR lost");
	gic_set_pending(SPI);
	expect(before + 1, edge ? "edge not taken once" : "level set pending not taken once");
	CHECK(!gic_is_active(SPI) && !gic_is_pending(SPI), "not idle afterwards");
}

void guest_main(void)
{
	exception_on_irq = take_spi;
	gic_init();
	gic_set_priority(SPI, PRIORITY);
	CHECK(mmio_read8(GICD + GICD_IPRIORITYR + SPI) == PRIORITY, "priority lost");
	irq_unmask();
	gic_set_pending(SPI);
	expect(0, "taken while disabled");
	CHECK(gic_is_pending(SPI), "pending state of a disabled interrupt lost");
	gic_enable(SPI);
	expect(1, "not taken when enabled");
	try_as(true, 1);
	try_as(false, 2);
	SYSREG_WRITE(icc_pmr_el1, PRIORITY);
	gic_set_pending(SPI);
	expect(3, "taken at the priority mask");
	gic_clear_pending(SPI);
	SYSREG_WRITE(icc_pmr_el1, 0xff);
	expect(3, "taken after it was withdrawn");
	gic_disable(SPI);
	CHECK(!(mmio_read32(GICD + GICD_ISENABLER + SPI / 32 * 4) >> SPI % 32 & 1), "still enabled");
}
