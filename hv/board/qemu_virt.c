/* QEMU's virt board with GICv3, from EL2's side (QEMU hw/arm/virt.c; GICv3 manual; PL011 TRM DDI 0183).
 *
 * The PL011 is the doorbell: hvrec holds its other end. EOImode is 1: priority drop and deactivation are apart, so that
 * the virtual timer's interrupt stays active, and silent, until the guest itself ends it. */
#include "hv/arch/arch.h"
#include "hv/arch/sysreg.h"
#include "hv/board/board.h"

#define MMIO32(base, offset) (*(volatile uint32_t *)(uintptr_t)((base) + (offset)))

#define GICD           UINT64_C(0x08000000)
#define GICR           UINT64_C(0x080a0000)
#define GICR_BYTES     UINT64_C(0x20000) /* of a CPU */
#define GICR_SGI_FRAME UINT64_C(0x10000)
#define UART           UINT64_C(0x09000000)

enum {
	GICD_CTLR = 0x000,
	GICD_ISENABLER = 0x100,
	GICD_ICENABLER = 0x180,
	GICD_IGROUPR = 0x080,
	GICD_IPRIORITYR = 0x400,
	GICD_IROUTER = 0x6000
};
enum {
	GICR_WAKER = 0x14,
	GICR_IGROUPR0 = 0x80,
	GICR_ISENABLER0 = 0x100,
	GICR_ICENABLER0 = 0x180,
	GICR_ISACTIVER0 = 0x300,
	GICR_ICACTIVER0 = 0x380,
	GICR_IPRIORITYR = 0x400
};
enum { GICD_CTLR_ENABLE_ARE = 0x37, GICR_WAKER_CHILDREN_ASLEEP = 4 };
enum {
	PRIORITY = 0xa0,
	PRIORITY_CLOCK = 0x40,
	PRIORITY_WAKE = 0x40,
	PRIORITY_MASK_ALL = 0xff,
	PRIORITY_MASK_BUT_CLOCK = 0x80
};
enum { UART_DR = 0x00, UART_FR = 0x18, UART_LCR_H = 0x2c, UART_CR = 0x30, UART_IMSC = 0x38, UART_ICR = 0x44 };
enum { UART_FR_RXFE = 1 << 4, UART_LCR_H_8BITS_FEN = 0x70, UART_CR_ON = 0x301, UART_RX_AND_TIMEOUT = 0x50 };
enum {
	INTID_WAKE = 0,
	INTID_ALARM = 23,
	INTID_MAINTENANCE = 25,
	INTID_CLOCK = 26,
	INTID_VTIMER = 27,
	INTID_UART = 33,
	INTID_NONE = 1020
};

#define PSCI_CPU_ON UINT64_C(0xc4000003) /* Arm DEN 0022, 5.6 */

static uint8_t bell;
static uint32_t cpu_count;
static bool host_silent; /* the doorbell interrupts only while hv itself waits for it */

struct board_map board_map(void)
{
	return (struct board_map){.device_start = 0x08000000, .device_end = 0x0a000000};
}

/* This CPU's redistributor: affinity and frames are in one order. */
static uint64_t redistributor(void)
{
	return GICR + GICR_BYTES * (READ_SYSREG(mpidr_el1) & 0xff);
}

/* Where `intid` is enabled, of this CPU if it is private to each. */
static uint64_t gic_base(uint32_t intid)
{
	return intid < 32 ? redistributor() + GICR_SGI_FRAME : GICD;
}

static void gic_enable_at(uint32_t intid, uint8_t priority)
{
	uint64_t base = gic_base(intid);
	MMIO32(base, GICD_IGROUPR + intid / 32 * 4) |= UINT32_C(1) << intid % 32;
	((volatile uint8_t *)(uintptr_t)(base + GICD_IPRIORITYR))[intid] = priority;
	MMIO32(base, GICD_ISENABLER + intid / 32 * 4) = UINT32_C(1) << intid % 32;
}

static void gic_enable(uint32_t intid)
{
	gic_enable_at(intid, PRIORITY);
}

static void gic_disable(uint32_t intid)
{
	uint64_t base = gic_base(intid);
	MMIO32(base, GICD_ICENABLER + intid / 32 * 4) = UINT32_C(1) << intid % 32;
}

void board_init(enum board_interrupts interrupts)
{
	host_silent = interrupts == BOARD_ALARM;
	MMIO32(GICD, GICD_CTLR) = GICD_CTLR_ENABLE_ARE;
	MMIO32(GICD, GICD_IROUTER + 8 * INTID_UART) = 0;
	MMIO32(UART, UART_LCR_H) = UART_LCR_H_8BITS_FEN;
	MMIO32(UART, UART_CR) = UART_CR_ON;
	MMIO32(UART, UART_IMSC) = UART_RX_AND_TIMEOUT;
	if (!host_silent)
		gic_enable(INTID_UART);
}

void board_cpu_init(enum board_interrupts interrupts)
{
	uint64_t frame = redistributor();
	MMIO32(frame, GICR_WAKER) = 0;
	while (MMIO32(frame, GICR_WAKER) & GICR_WAKER_CHILDREN_ASLEEP)
		;
	WRITE_SYSREG(ICC_SRE_EL2, READ_SYSREG(ICC_SRE_EL2) | ICC_SRE_ENABLE);
	__asm__ volatile("isb"); /* the ICC_* registers exist from here on */
	WRITE_SYSREG(ICC_PMR_EL1, PRIORITY_MASK_ALL);
	WRITE_SYSREG(ICC_CTLR_EL1, ICC_CTLR_EOIMODE);
	WRITE_SYSREG(ICC_IGRPEN1_EL1, 1);
	__asm__ volatile("isb"); /* interrupts are signalled from here on */
	gic_enable_at(INTID_WAKE, PRIORITY_WAKE);
	gic_enable(INTID_ALARM);
	cpu_count++;
	board_interrupts_set(interrupts);
}

/* PSCI CPU_ON, which the machine's firmware answers. If it does not start hv waits, and the host says that hv does not
 * start. */
void board_cpu_start(uint32_t cpu, uint64_t entry)
{
	register uint64_t x0 __asm__("x0") = PSCI_CPU_ON;
	register uint64_t x1 __asm__("x1") = cpu;
	register uint64_t x2 __asm__("x2") = entry;
	register uint64_t x3 __asm__("x3") = cpu;
	__asm__ volatile("smc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3) : "memory");
}

void board_cpu_wake(uint32_t cpu, uint64_t entry)
{
	(void)entry;
	MMIO32(GICD, GICD_IROUTER + 8 * INTID_UART) = cpu; /* no CPU that sleeps is to be woken by the host */
	WRITE_SYSREG(ICC_SGI1R_EL1, UINT64_C(1) << cpu);
	__asm__ volatile("isb"); /* it is on its way before this CPU sleeps */
}

static void private_set(uint32_t cpu, uint32_t intid, bool enabled)
{
	uint64_t base = GICR + GICR_BYTES * cpu + GICR_SGI_FRAME;
	((volatile uint8_t *)(uintptr_t)(base + GICR_IPRIORITYR))[intid] = PRIORITY;
	MMIO32(base, GICR_IGROUPR0) |= UINT32_C(1) << intid;
	MMIO32(base, enabled ? GICR_ISENABLER0 : GICR_ICENABLER0) = UINT32_C(1) << intid;
}

void board_interrupts_set(enum board_interrupts interrupts)
{
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
		private_set(cpu, INTID_MAINTENANCE, interrupts == BOARD_ALL);
		private_set(cpu, INTID_VTIMER, interrupts == BOARD_ALL);
	}
}

void board_host_let_in(void)
{
	host_silent = false;
	gic_enable(INTID_UART);
}

/* The interrupt is raised when the FIFO goes from empty to one byte, so it is cleared before the FIFO is emptied: a
 * byte that comes in between is taken along, one that comes later raises it anew. */
static void uart_drain(void)
{
	MMIO32(UART, UART_ICR) = UART_RX_AND_TIMEOUT;
	while (!(MMIO32(UART, UART_FR) & UART_FR_RXFE))
		bell = (uint8_t)MMIO32(UART, UART_DR);
}

uint8_t board_bell(void)
{
	return bell;
}

static uint32_t irq_acknowledged(uint64_t intid)
{
	switch (intid) {
	case INTID_ALARM:
		WRITE_SYSREG(pmovsclr_el0, PMU_CYCLE);
		return BOARD_IRQ_ALARM;
	case INTID_VTIMER:
		return BOARD_IRQ_VTIMER;
	case INTID_UART:
		uart_drain();
		return BOARD_IRQ_HOST;
	case INTID_MAINTENANCE:
		return BOARD_IRQ_MAINTENANCE;
	default:
		return 0;
	}
}

uint32_t board_irq_take(void)
{
	uint32_t taken = 0;
	for (;;) {
		uint64_t intid = READ_SYSREG(ICC_IAR1_EL1);
		if (intid >= INTID_NONE)
			return taken;
		taken |= irq_acknowledged(intid);
		WRITE_SYSREG(ICC_EOIR1_EL1, intid);
		if (intid != INTID_VTIMER && intid != INTID_MAINTENANCE)
			WRITE_SYSREG(ICC_DIR_EL1, intid);
	}
}

void board_vtimer_set_active(bool active)
{
	MMIO32(gic_base(INTID_VTIMER), active ? GICR_ISACTIVER0 : GICR_ICACTIVER0) = UINT32_C(1) << INTID_VTIMER;
}

void board_maintenance_rearm(void)
{
	WRITE_SYSREG(ICC_DIR_EL1, INTID_MAINTENANCE);
}

void board_doorbell_ring(void)
{
	MMIO32(UART, UART_DR) = '!';
}

/* While every CPU sleeps the machine's clock jumps to its next timer. The guest's virtual timer must not be one: once
 * it has fired, QEMU keeps it armed at the end of time, and a clock that has jumped there never comes to rest. */
uint32_t board_wait(void)
{
	uint64_t vtimer = READ_SYSREG(cntv_ctl_el0);
	WRITE_SYSREG(cntv_ctl_el0, 0);
	if (host_silent)
		gic_enable(INTID_UART);
	machine_clock_before_wait();
	__asm__ volatile("dsb sy\n wfi" ::: "memory"); /* what the host shall see is written before we sleep */
	uint32_t taken = board_irq_take();
	if (host_silent)
		gic_disable(INTID_UART);
	WRITE_SYSREG(cntv_ctl_el0, vtimer);
	return taken;
}

static bool machine_is_before(uint64_t ticks)
{
	__asm__ volatile("isb"); /* what was set holds, and the clock is read anew */
	return READ_SYSREG(cntpct_el0) < ticks;
}

/* Every interrupt ends a WFI, a virtual one too: only the timer's own is let through. */
void board_clock_jump(uint64_t ticks)
{
	uint64_t vtimer = READ_SYSREG(cntv_ctl_el0), ich = READ_SYSREG(ICH_HCR_EL2);
	WRITE_SYSREG(cntv_ctl_el0, 0);
	WRITE_SYSREG(ICH_HCR_EL2, 0);
	WRITE_SYSREG(ICC_PMR_EL1, PRIORITY_MASK_BUT_CLOCK);
	gic_enable_at(INTID_CLOCK, PRIORITY_CLOCK);
	WRITE_SYSREG(cnthp_cval_el2, ticks);
	WRITE_SYSREG(cnthp_ctl_el2, CNTV_CTL_ENABLE);
	while (machine_is_before(ticks))
		__asm__ volatile("wfi");
	WRITE_SYSREG(cnthp_ctl_el2, 0);
	gic_disable(INTID_CLOCK);
	WRITE_SYSREG(ICC_PMR_EL1, PRIORITY_MASK_ALL);
	WRITE_SYSREG(ICH_HCR_EL2, ich);
	WRITE_SYSREG(cntv_ctl_el0, vtimer);
}
