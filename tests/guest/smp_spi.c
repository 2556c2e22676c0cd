/* Interrupts between CPUs: shared ones go to the CPU that they are routed to, also if they are routed elsewhere while
 * pending or active, with the UART and the clock as sources too; SGIs go to the CPUs that they name, or to all others;
 * one CPU sets another's PPI and SGI pending. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/smp.h"

const char guest_name[] = "smp_spi";

enum { SPI = 100, INTID_UART = 33, INTID_RTC = 34, PPI = 20, SGI = 5, SGI_DIRECT = 6, QUIET_TURNS = 3000 };
enum { UART_IMSC = 0x38, UART_RIS = 0x3c, UART_ICR = 0x44, UART_TX = 1 << 5 };
enum { RTC_MR = 4, RTC_LR = 8, RTC_IMSC = 0x10, RTC_ICR = 0x1c };

static uint64_t taken[SMP_MAX]; /* of any interrupt, by CPU */
static uint64_t taken_intid[SMP_MAX];
static uint64_t held, release, over; /* held: the handler on that CPU waits, 0: none */
static uint32_t cpu_count;
static struct smp_barrier all;
static uint64_t hold_next;

static uint64_t taken_by(uint32_t cpu)
{
	return __atomic_load_n(&taken[cpu], __ATOMIC_ACQUIRE);
}

static void take(uint32_t intid)
{
	uint32_t self = smp_self();
	if (intid == INTID_UART) {
		mmio_write32(UART + UART_IMSC, 0);
		mmio_write32(UART + UART_ICR, UART_TX);
	} else if (intid == INTID_RTC) {
		mmio_write32(RTC + RTC_IMSC, 0);
		mmio_write32(RTC + RTC_ICR, 1);
	}
	dsb(); /* the line is low before the end of interrupt */
	if (__atomic_exchange_n(&hold_next, 0, __ATOMIC_ACQ_REL)) {
		smp_set(&held, self + 1);
		smp_wait_for(&release, 1, SMP_SPIN_YIELD);
		release = 0;
		smp_set(&held, 0);
	}
	taken_intid[self] = intid;
	__atomic_fetch_add(&taken[self], 1, __ATOMIC_ACQ_REL);
}

static void quiet(void)
{
	for (int i = 0; i < QUIET_TURNS; i++)
		isb();
}

/* The next interrupt is `intid` on `cpu`, and nothing on the others. */
static void expect(const uint64_t *before, uint32_t cpu, uint32_t intid, const char *why)
{
	smp_wait_for(&taken[cpu], before[cpu] + 1, SMP_SPIN_YIELD);
	quiet();
	for (uint32_t other = 0; other < cpu_count; other++)
		CHECK(taken_by(other) == before[other] + (other == cpu), why);
	CHECK(taken_intid[cpu] == intid, "another interrupt than was sent");
}

static void keep(uint64_t *before)
{
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
		before[cpu] = taken_by(cpu);
}

static void each_in_turn(void)
{
	uint64_t before[SMP_MAX];
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
		gic_route(SPI, cpu);
		gic_route(INTID_UART, cpu);
		gic_route(INTID_RTC, cpu);
		keep(before);
		gic_set_pending(SPI);
		expect(before, cpu, SPI, "an SPI went elsewhere");
		keep(before);
		mmio_write32(UART + UART_ICR, UART_TX);
		mmio_write32(UART, '.'); /* sent at once: that is an interrupt */
		mmio_write32(UART + UART_IMSC, UART_TX);
		expect(before, cpu, INTID_UART, "the UART's interrupt went elsewhere");
		keep(before);
		mmio_write32(RTC + RTC_LR, 100);
		mmio_write32(RTC + RTC_MR, 100); /* its time is now */
		mmio_write32(RTC + RTC_IMSC, 1);
		expect(before, cpu, INTID_RTC, "the clock's interrupt went elsewhere");
	}
	print("\n");
}

/* Pending while disabled, then routed elsewhere; and pending at a CPU that masks it. */
static void rerouted_while_pending(void)
{
	uint64_t before[SMP_MAX];
	for (uint32_t cpu = 1; cpu < cpu_count; cpu++) {
		gic_disable(SPI);
		gic_route(SPI, cpu - 1);
		keep(before);
		gic_set_pending(SPI);
		gic_route(SPI, cpu);
		gic_enable(SPI);
		expect(before, cpu, SPI, "an SPI re-routed while disabled went elsewhere");
		irq_mask();
		gic_route(SPI, 0);
		keep(before);
		gic_set_pending(SPI);
		quiet();
		CHECK(taken_by(0) == before[0] && gic_is_pending(SPI), "an SPI at a CPU that masks it is gone");
		gic_route(SPI, cpu);
		expect(before, cpu, SPI, "an SPI re-routed while pending went elsewhere");
		irq_unmask();
		quiet();
		CHECK(taken_by(0) == before[0], "an SPI re-routed while pending came twice");
	}
}

/* Active at one CPU, made pending again for another: it comes when the first has ended it, and not before. */
static void rerouted_while_active(void)
{
	uint64_t before[SMP_MAX];
	for (uint32_t cpu = 1; cpu < cpu_count; cpu++) {
		uint32_t next = cpu + 1 < cpu_count ? cpu + 1 : 0;
		gic_set_edge(SPI, true);
		gic_route(SPI, cpu);
		keep(before);
		hold_next = 1;
		gic_set_pending(SPI);
		smp_wait_for(&held, cpu + 1, SMP_SPIN_YIELD);
		CHECK(gic_is_active(SPI), "not active while handled elsewhere");
		gic_route(SPI, next);
		gic_set_pending(SPI);
		quiet();
		CHECK(gic_is_pending(SPI) && taken_by(next) == before[next], "taken twice at once");
		smp_set(&release, 1);
		smp_wait_for(&taken[cpu], before[cpu] + 1, SMP_SPIN_YIELD);
		before[cpu]++;
		expect(before, next, SPI, "an SPI re-routed while active went elsewhere");
		CHECK(!gic_is_active(SPI) && !gic_is_pending(SPI), "not idle afterwards");
		gic_set_edge(SPI, false);
	}
}

static void between_cpus(void)
{
	uint64_t before[SMP_MAX];
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
		keep(before);
		gic_send(SGI, 1u << cpu);
		expect(before, cpu, SGI, "an SGI went elsewhere");
		keep(before);
		gic_set_pending_of(cpu, SGI_DIRECT);
		expect(before, cpu, SGI_DIRECT, "an SGI set pending went elsewhere");
		keep(before);
		gic_set_pending_of(cpu, PPI);
		expect(before, cpu, PPI, "a PPI set pending went elsewhere");
	}
	keep(before);
	gic_send_others(SGI);
	for (uint32_t cpu = 1; cpu < cpu_count; cpu++)
		smp_wait_for(&taken[cpu], before[cpu] + 1, SMP_SPIN_YIELD);
	quiet();
	CHECK(taken_by(0) == before[0], "an SGI to the others came to the sender");
	keep(before);
	gic_send(SGI, (1u << cpu_count) - 1);
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
		smp_wait_for(&taken[cpu], before[cpu] + 1, SMP_SPIN_YIELD);
}

static void join(void)
{
	gic_join();
	gic_enable(SGI);
	gic_enable(SGI_DIRECT);
	gic_set_edge(PPI, true);
	gic_enable(PPI);
	irq_unmask();
}

/* Every other one sleeps, the rest spin. */
static void receive(uint64_t self)
{
	join();
	smp_barrier(&all, cpu_count, SMP_SPIN_WFE);
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		if (self % 2 == 0) {
			__asm__ volatile("yield" ::: "memory");
			continue;
		}
		irq_mask();
		if (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
			wfi();
		irq_unmask();
	}
	irq_mask();
}

void guest_main(void)
{
	mmu_on();
	exception_on_irq = take;
	gic_init();
	join();
	cpu_count = smp_count();
	smp_start(receive, 2);
	smp_barrier(&all, cpu_count, SMP_SPIN_WFE);
	gic_enable(SPI);
	gic_enable(INTID_UART);
	gic_enable(INTID_RTC);
	each_in_turn();
	rerouted_while_pending();
	rerouted_while_active();
	between_cpus();
	smp_set(&over, 1);
	gic_send_others(SGI);
	for (uint32_t cpu = 1; cpu < cpu_count; cpu++)
		smp_wait_off(cpu);
	uint64_t sum = 0;
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
		sum += taken[cpu];
	print_value("interrupts", sum);
}
