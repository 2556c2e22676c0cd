/* The registers of the virtual distributor and redistributors, as a guest reads and writes them; bad accesses too. */
#include "hv/dev/vgic.h"
#include "hv/dev/vgic_regs.h"
#include "hv/dev/vgicd.h"
#include "hv/dev/vgicr.h"
#include <criterion/criterion.h>
#include <string.h>

TestSuite(vgicd, .timeout = 900);

static struct guest_state guest;

static void setup(uint32_t vcpu_count)
{
	memset(&guest, 0xa5, sizeof guest); /* reset must not need zeroes */
	guest.vcpu_count = vcpu_count;
	vgic_reset(&guest);
}

static uint64_t d_read(uint32_t offset, uint8_t size)
{
	uint64_t value = UINT64_MAX;

	cr_assert(vgicd_read(&guest, offset, size, &value), "GICD + 0x%x, %u bytes", offset, size);
	return value;
}

static void d_write(uint32_t offset, uint8_t size, uint64_t value)
{
	cr_assert(vgicd_write(&guest, offset, size, value), "GICD + 0x%x, %u bytes", offset, size);
}

static uint64_t r_read(uint32_t vcpu, uint32_t offset, uint8_t size)
{
	uint64_t value = UINT64_MAX;

	cr_assert(vgicr_read(&guest, vcpu, offset, size, &value), "GICR + 0x%x, %u bytes", offset, size);
	return value;
}

static void r_write(uint32_t vcpu, uint32_t offset, uint8_t size, uint64_t value)
{
	cr_assert(vgicr_write(&guest, vcpu, offset, size, value), "GICR + 0x%x, %u bytes", offset, size);
}

Test(vgicd, identification_is_that_of_the_virt_board)
{
	static const uint32_t ids[] = {0x44, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1};

	setup(3);
	cr_assert_eq(d_read(GICD_CTLR, 4), 0x50);
	cr_assert_eq(d_read(GICD_TYPER, 4), 0x03780008);
	cr_assert_eq(d_read(GICD_IIDR, 4), 0x43b);
	cr_assert_eq(d_read(GICD_TYPER2, 4), 0);
	cr_assert_eq(d_read(GICD_STATUSR, 4), 0);
	for (uint32_t i = 0; i < 12; i++) {
		cr_assert_eq(d_read(0xffd0 + 4 * i, 4), ids[i]);
		cr_assert_eq(r_read(1, 0xffd0 + 4 * i, 4), i == 4 ? 0x93 : ids[i]);
	}
	cr_assert_eq(r_read(0, GICR_IIDR, 4), 0x43b);
	cr_assert_eq(r_read(0, GICR_TYPER, 8), UINT64_C(0x0000000001000000));
	cr_assert_eq(r_read(2, GICR_TYPER, 8), UINT64_C(0x0000000201000210));
	cr_assert_eq(r_read(2, GICR_TYPER, 4), 0x01000210);
	cr_assert_eq(r_read(2, GICR_TYPER + 4, 4), 2);
}

Test(vgicd, read_only_registers_ignore_writes)
{
	static const uint32_t offsets[] = {GICD_TYPER, GICD_IIDR, GICD_TYPER2, GICD_STATUSR, 0xffe8, GICD_SGIR};

	setup(1);
	struct guest_state before = guest;
	for (uint32_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
		d_write(offsets[i], 4, UINT32_MAX);
	r_write(0, GICR_TYPER, 8, UINT64_MAX);
	r_write(0, GICR_IIDR, 4, UINT32_MAX);
	r_write(0, GICR_CTLR, 4, UINT32_MAX);
	r_write(0, GICR_PROPBASER, 8, UINT64_MAX);
	r_write(0, 0xffe8, 4, UINT32_MAX);
	cr_assert_eq(memcmp(&before, &guest, sizeof guest), 0);
	cr_assert_eq(r_read(0, GICR_CTLR, 4), 0);
	cr_assert_eq(r_read(0, GICR_PROPBASER, 8), 0);
}

Test(vgicd, control_keeps_the_group_enables_only)
{
	setup(1);
	d_write(GICD_CTLR, 4, UINT32_MAX);
	cr_assert_eq(d_read(GICD_CTLR, 4), 0x53);
	d_write(GICD_CTLR, 4, 0);
	cr_assert_eq(d_read(GICD_CTLR, 4), 0x50);
}

Test(vgicd, the_waker_handshake_completes_at_once)
{
	setup(2);
	cr_assert_eq(r_read(1, GICR_WAKER, 4), 6);
	r_write(1, GICR_WAKER, 4, 0);
	cr_assert_eq(r_read(1, GICR_WAKER, 4), 0);
	cr_assert_eq(r_read(0, GICR_WAKER, 4), 6);
	r_write(1, GICR_WAKER, 4, UINT32_MAX);
	cr_assert_eq(r_read(1, GICR_WAKER, 4), 6);
}

/* Set and clear registers of one state, at `set` and `clear`; the words of SPIs by GICD, the first one by GICR. */
static void check_set_clear(uint32_t set, uint32_t clear)
{
	for (uint32_t word = 1; word < 9; word++) {
		d_write(set + 4 * word, 4, 0x80000101u << (word % 2));
		d_write(clear + 4 * word, 4, 0x100u << (word % 2));
		cr_assert_eq(d_read(set + 4 * word, 4), (uint32_t)(0x80000001u << (word % 2)));
		cr_assert_eq(d_read(clear + 4 * word, 4), (uint32_t)(0x80000001u << (word % 2)));
	}
	r_write(1, GICR_SGI_FRAME + set, 4, 0xf000000f);
	r_write(1, GICR_SGI_FRAME + clear, 4, 0x1000000e);
	cr_assert_eq(r_read(1, GICR_SGI_FRAME + set, 4), 0xe0000001);
	cr_assert_eq(r_read(1, GICR_SGI_FRAME + clear, 4), 0xe0000001);
	cr_assert_eq(r_read(0, GICR_SGI_FRAME + set, 4), 0, "the other vCPU's own");
}

Test(vgicd, enables_pending_and_active_bits_are_set_and_cleared)
{
	setup(2);
	check_set_clear(GIC_ISENABLER, GIC_ICENABLER);
	check_set_clear(GIC_ISPENDR, GIC_ICPENDR);
	check_set_clear(GIC_ISACTIVER, GIC_ICACTIVER);
}

Test(vgicd, a_line_reads_as_pending_and_cannot_be_cleared_by_icpendr)
{
	setup(1);
	vgic_set_level(&guest, 0, 33, true);
	cr_assert_eq(d_read(GIC_ISPENDR + 4, 4), 2);
	d_write(GIC_ICPENDR + 4, 4, UINT32_MAX);
	cr_assert_eq(d_read(GIC_ISPENDR + 4, 4), 2);
	vgic_set_level(&guest, 0, 33, false);
	cr_assert_eq(d_read(GIC_ISPENDR + 4, 4), 0);
}

Test(vgicd, private_interrupts_and_those_that_do_not_exist_are_raz_wi_in_the_distributor)
{
	setup(1);
	struct guest_state before = guest;
	for (uint32_t base = GIC_IGROUPR; base < GIC_BITS_END; base += 0x80) {
		for (uint32_t word = 0; word < 32; word += word == 0 ? 9 : 1) {
			d_write(base + 4 * word, 4, UINT32_MAX);
			cr_assert_eq(d_read(base + 4 * word, 4), 0);
		}
	}
	d_write(GIC_IPRIORITYR + 28, 4, UINT32_MAX);
	d_write(GIC_IPRIORITYR + 288, 4, UINT32_MAX);
	d_write(GIC_IPRIORITYR + 1023, 1, UINT32_MAX);
	d_write(GIC_ICFGR + 4, 4, UINT32_MAX);
	d_write(GIC_ICFGR + 72, 4, UINT32_MAX);
	d_write(GICD_IROUTER + 8 * 31, 8, 1);
	d_write(GICD_IROUTER + 8 * 288, 8, 1);
	d_write(GICD_IROUTER_END - 8, 8, 1);
	for (uint32_t offset = GIC_IGRPMODR; offset < GIC_NSACR_END; offset += 4)
		d_write(offset, 4, UINT32_MAX);
	d_write(GICD_ITARGETSR + 32, 1, 0xff);
	d_write(GICD_CPENDSGIR, 4, UINT32_MAX);
	cr_assert_eq(memcmp(&before, &guest, sizeof guest), 0);
	cr_assert_eq(d_read(GICD_IROUTER + 8 * 31, 8), 0);
	cr_assert_eq(d_read(GICD_IROUTER + 8 * 288, 8), 0);
	cr_assert_eq(d_read(GICD_ITARGETSR + 32, 4), 0);
	cr_assert_eq(d_read(GIC_NSACR + 8, 4), 0);
}

Test(vgicd, priorities_have_five_bits_and_are_byte_accessible)
{
	setup(2);
	d_write(GIC_IPRIORITYR + 32, 4, 0xa7ffc801);
	cr_assert_eq(d_read(GIC_IPRIORITYR + 32, 4), 0xa0f8c800);
	d_write(GIC_IPRIORITYR + 33, 1, 0x17);
	cr_assert_eq(d_read(GIC_IPRIORITYR + 33, 1), 0x10);
	cr_assert_eq(d_read(GIC_IPRIORITYR + 32, 4), 0xa0f81000);
	cr_assert_eq(guest.vgic.spi[1].priority, 0x10);
	r_write(1, GICR_SGI_FRAME + GIC_IPRIORITYR + 27, 1, 0xa5);
	cr_assert_eq(r_read(1, GICR_SGI_FRAME + GIC_IPRIORITYR + 24, 4), 0xa0000000);
	cr_assert_eq(r_read(0, GICR_SGI_FRAME + GIC_IPRIORITYR + 24, 4), 0);
}

Test(vgicd, configuration_has_one_bit_an_interrupt_and_sgis_are_always_edge)
{
	setup(1);
	d_write(GIC_ICFGR + 8, 4, UINT32_MAX);
	cr_assert_eq(d_read(GIC_ICFGR + 8, 4), 0xaaaaaaaa);
	d_write(GIC_ICFGR + 8, 4, 0x00000008);
	cr_assert_eq(d_read(GIC_ICFGR + 8, 4), 0x00000008);
	cr_assert_eq(guest.vgic.spi[1].edge, 1);
	r_write(0, GICR_SGI_FRAME + GIC_ICFGR, 4, 0);
	cr_assert_eq(r_read(0, GICR_SGI_FRAME + GIC_ICFGR, 4), 0xaaaaaaaa);
	r_write(0, GICR_SGI_FRAME + GIC_ICFGR + 4, 4, 0x80000000);
	cr_assert_eq(r_read(0, GICR_SGI_FRAME + GIC_ICFGR + 4, 4), 0x80000000);
	cr_assert_eq(guest.vgic.redist[0].irq[31].edge, 1);
}

Test(vgicd, groups_are_written_whole)
{
	setup(1);
	d_write(GIC_IGROUPR + 4, 4, 0x12345678);
	cr_assert_eq(d_read(GIC_IGROUPR + 4, 4), 0x12345678);
	r_write(0, GICR_SGI_FRAME + GIC_IGROUPR, 4, 0x87654321);
	cr_assert_eq(r_read(0, GICR_SGI_FRAME + GIC_IGROUPR, 4), 0x87654321);
	r_write(0, GICR_SGI_FRAME + GIC_IGRPMODR, 4, UINT32_MAX);
	cr_assert_eq(r_read(0, GICR_SGI_FRAME + GIC_IGRPMODR, 4), 0);
}

Test(vgicd, routes_are_written_whole_or_by_halves)
{
	setup(2);
	d_write(GICD_IROUTER + 8 * 33, 8, UINT64_MAX);
	cr_assert_eq(d_read(GICD_IROUTER + 8 * 33, 8), UINT64_C(0xff00ffffff));
	cr_assert_eq(d_read(GICD_IROUTER + 8 * 33, 4), 0xffffff);
	cr_assert_eq(d_read(GICD_IROUTER + 8 * 33 + 4, 4), 0xff);
	d_write(GICD_IROUTER + 8 * 33, 4, 1);
	cr_assert_eq(d_read(GICD_IROUTER + 8 * 33, 8), UINT64_C(0xff00000001));
	d_write(GICD_IROUTER + 8 * 33 + 4, 4, 0x12);
	cr_assert_eq(d_read(GICD_IROUTER + 8 * 33, 8), UINT64_C(0x1200000001));
	d_write(GICD_IROUTER + 8 * 33 + 4, 4, 0);
	cr_assert_eq(d_read(GICD_IROUTER + 8 * 33, 8), 1);
	d_write(GICD_IROUTER + 8 * 287, 8, 1);
	cr_assert_eq(guest.vgic.irouter[255], 1);
}

Test(vgicd, reserved_places_sizes_and_alignments_are_refused_and_change_nothing)
{
	static const struct {
		uint32_t offset;
		uint8_t size;
	} bad[] = {{0x14, 4},
		   {0x40, 4},
		   {0x40, 2},
		   {0x68, 4},
		   {0x1000, 4},
		   {0x5ffc, 4},
		   {0x7fe0, 8},
		   {0x8000, 4},
		   {0xffcc, 4},
		   {0x10000, 4},
		   {UINT32_MAX, 1},
		   {GICD_CTLR, 1},
		   {GICD_CTLR, 2},
		   {GICD_CTLR, 8},
		   {GICD_CTLR + 1, 4},
		   {GICD_TYPER, 0},
		   {GIC_ISENABLER + 4, 1},
		   {GIC_ISENABLER, 8},
		   {GIC_ISENABLER + 6, 4},
		   {GIC_IPRIORITYR + 32, 2},
		   {GIC_IPRIORITYR + 32, 8},
		   {GIC_ICFGR + 8, 1},
		   {GICD_IROUTER + 264, 1},
		   {GICD_IROUTER + 264, 2},
		   {GICD_IROUTER + 268, 8},
		   {GICD_SGIR, 1},
		   {0xffe8, 1},
		   {0xffe8, 8},
		   {GICD_CTLR, 3},
		   {GICD_CTLR, 16},
		   {0x0f30, 4},
		   {0x0f04, 4}};

	setup(1);
	struct guest_state before = guest;
	for (uint32_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint64_t value = 1;
		cr_assert_not(vgicd_read(&guest, bad[i].offset, bad[i].size, &value), "0x%x", bad[i].offset);
		cr_assert_eq(value, 0);
		cr_assert_not(vgicd_write(&guest, bad[i].offset, bad[i].size, UINT64_MAX), "0x%x", bad[i].offset);
	}
	cr_assert_eq(memcmp(&before, &guest, sizeof guest), 0);
}

Test(vgicd, the_redistributor_refuses_them_too)
{
	static const struct {
		uint32_t offset;
		uint8_t size;
	} bad[] = {{0x18, 4},       {0x40, 8},       {0x80, 4},           {0x100, 4},      {0x8000, 4},
		   {GICR_WAKER, 1}, {GICR_WAKER, 8}, {GICR_TYPER + 2, 4}, {GICR_TYPER, 2}, {GICR_TYPER + 4, 8},
		   {0x10000, 4},    {0x10014, 4},    {0x10104, 4},        {0x10100, 1},    {0x10100, 8},
		   {0x10420, 4},    {0x10420, 1},    {0x10400, 2},        {0x10800, 4},    {0x10c08, 4},
		   {0x10d04, 4},    {0x10f00, 4},    {0x16100, 8},        {0x1ffe8, 4},    {0x20000, 4},
		   {UINT32_MAX, 1}, {0, 0}};

	setup(1);
	struct guest_state before = guest;
	for (uint32_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint64_t value = 1;
		cr_assert_not(vgicr_read(&guest, 0, bad[i].offset, bad[i].size, &value), "0x%x", bad[i].offset);
		cr_assert_eq(value, 0);
		cr_assert_not(vgicr_write(&guest, 0, bad[i].offset, bad[i].size, UINT64_MAX), "0x%x", bad[i].offset);
	}
	cr_assert_eq(memcmp(&before, &guest, sizeof guest), 0);
}

static bool live_bit(uint32_t vcpu, uint32_t intid)
{
	return vgic_next_live(&guest.vgic, vcpu, intid) == intid;
}

/* Any access at any place neither crashes nor breaks the bitmaps of live interrupts. */
Test(vgicd, random_accesses_keep_the_live_bitmaps_true)
{
	uint64_t random = 12345;

	setup(2);
	for (uint32_t step = 0; step < 100000; step++) {
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
		uint32_t vcpu = random >> 20 & 1, offset = (uint32_t)(random >> 32) & 0xfff;
		uint8_t size = (uint8_t)(1u << (random >> 22 & 3));
		vgicd_write(&guest, offset & ~(size - 1u), size, random >> 16);
		vgicr_write(&guest, vcpu, GICR_SGI_FRAME + (offset & ~(size - 1u)), size, random >> 24);
		if (offset % 4 == 0)
			vgic_set_level(&guest, vcpu, 16 + offset % 272, random >> 23 & 1);
	}
	for (uint32_t vcpu = 0; vcpu < 2; vcpu++) {
		for (uint32_t intid = 0; intid < GUEST_INTID_COUNT; intid++) {
			const struct virq *irq = vgic_irq_const(&guest.vgic, vcpu, intid);
			bool live = irq->active || (irq->enabled && (irq->pending || (irq->level && !irq->edge)));
			cr_assert_eq(live_bit(vcpu, intid), live, "INTID %u", intid);
		}
	}
}
