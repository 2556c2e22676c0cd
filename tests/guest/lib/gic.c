/* The registers of SGIs and PPIs are in the second frame of each CPU's redistributor, at the offsets they have in the
 * distributor. */
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/smp.h"

enum {
	GICD_CTLR_ENABLE_GROUP1 = 1 << 1,
	GICD_CTLR_ARE = 1 << 4,
	GICR_WAKER = 0x0014,
	GICR_WAKER_PROCESSOR_SLEEP = 1 << 1,
	GICR_WAKER_CHILDREN_ASLEEP = 1 << 2,
	GICR_STRIDE = 0x20000,
	PRIVATE_COUNT = 32,
};

#define SGI1R_OTHERS (UINT64_C(1) << 40) /* IRM */

static uint64_t redistributor(void)
{
	return GICR + (uint64_t)smp_self() * GICR_STRIDE;
}

static uint64_t frame_of(uint32_t intid)
{
	return intid < PRIVATE_COUNT ? redistributor() + (GICR_SGI - GICR) : GICD;
}

static uint64_t bit_register(uint32_t intid, uint32_t offset)
{
	return frame_of(intid) + offset + intid / 32 * 4;
}

static void write_bit(uint32_t intid, uint32_t offset)
{
	mmio_write32(bit_register(intid, offset), 1u << intid % 32);
	dsb();
}

static bool read_bit(uint32_t intid, uint32_t offset)
{
	return mmio_read32(bit_register(intid, offset)) >> intid % 32 & 1;
}

/* In group 1, at the default priority. */
static void set_up(uint32_t first, uint32_t end)
{
	for (uint32_t intid = first; intid < end; intid += 32)
		mmio_write32(bit_register(intid, GICD_IGROUPR), ~0u);
	for (uint32_t intid = first; intid < end; intid += 4)
		mmio_write32(frame_of(intid) + GICD_IPRIORITYR + intid, 0x01010101u * GIC_PRIORITY_DEFAULT);
}

void gic_init(void)
{
	mmio_write32(GICD + GICD_CTLR, GICD_CTLR_ARE);
	mmio_write32(GICD + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_ENABLE_GROUP1);
	uint32_t count = 32 * ((mmio_read32(GICD + GICD_TYPER) & 31) + 1);
	set_up(PRIVATE_COUNT, count);
	for (uint32_t intid = PRIVATE_COUNT; intid < count; intid++)
		gic_route(intid, smp_self());
	gic_join();
}

void gic_join(void)
{
	uint64_t waker = redistributor() + GICR_WAKER;
	mmio_write32(waker, mmio_read32(waker) & ~(uint32_t)GICR_WAKER_PROCESSOR_SLEEP);
	while (mmio_read32(waker) & GICR_WAKER_CHILDREN_ASLEEP)
		;
	set_up(0, PRIVATE_COUNT);
	SYSREG_WRITE(icc_sre_el1, SYSREG_READ(icc_sre_el1) | 1);
	isb(); /* the other ICC registers exist only with SRE set */
	SYSREG_WRITE(icc_pmr_el1, 0xff);
	SYSREG_WRITE(icc_bpr1_el1, 0);
	SYSREG_WRITE(icc_igrpen1_el1, 1);
	isb();
}

void gic_enable(uint32_t intid)
{
	write_bit(intid, GICD_ISENABLER);
}

void gic_disable(uint32_t intid)
{
	write_bit(intid, GICD_ICENABLER);
}

void gic_set_pending(uint32_t intid)
{
	write_bit(intid, GICD_ISPENDR);
}

void gic_clear_pending(uint32_t intid)
{
	write_bit(intid, GICD_ICPENDR);
}

void gic_set_priority(uint32_t intid, uint8_t priority)
{
	mmio_write8(frame_of(intid) + GICD_IPRIORITYR + intid, priority);
}

void gic_set_edge(uint32_t intid, bool edge)
{
	uint64_t at = frame_of(intid) + GICD_ICFGR + intid / 16 * 4;
	uint32_t bit = 2u << intid % 16 * 2;
	mmio_write32(at, edge ? mmio_read32(at) | bit : mmio_read32(at) & ~bit);
}

bool gic_is_pending(uint32_t intid)
{
	return read_bit(intid, GICD_ISPENDR);
}

bool gic_is_active(uint32_t intid)
{
	return read_bit(intid, GICD_ISACTIVER);
}

void gic_send(uint32_t sgi, uint32_t cpu_mask)
{
	dsb(); /* what the receiver is to see is stored */
	SYSREG_WRITE(icc_sgi1r_el1, (uint64_t)sgi << 24 | cpu_mask);
	isb(); /* sent */
}

void gic_send_others(uint32_t sgi)
{
	dsb(); /* what the receivers are to see is stored */
	SYSREG_WRITE(icc_sgi1r_el1, (uint64_t)sgi << 24 | SGI1R_OTHERS);
	isb(); /* sent */
}

void gic_route(uint32_t spi, uint32_t cpu)
{
	mmio_write64(GICD + GICD_IROUTER + UINT64_C(8) * spi, smp_mpidr(cpu));
	dsb();
}

void gic_set_pending_of(uint32_t cpu, uint32_t intid)
{
	mmio_write32(GICR_SGI + (uint64_t)cpu * GICR_STRIDE + GICD_ISPENDR, 1u << intid);
	dsb();
}
