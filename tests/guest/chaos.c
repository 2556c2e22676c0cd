/* Everything that a guest may do, in random order: what it does comes from a seed, and all that it sees goes into a
 * hash that it prints now and then and at the end. A replay that lets one value in past the gate prints another hash.
 *
 * Arguments: SEED TURNS OMITTED, decimal: how the random numbers begin, how many moves it makes, and the moves that it
 * leaves out, as a mask of their numbers in the table below. On a machine of several CPUs all of them do so at once,
 * each with random numbers of its own, and what they do to one another comes in. */
#include "tests/guest/chaos/chaos.h"
#include "tests/guest/lib/arguments.h"
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/timer.h"

const char guest_name[] = "chaos";

enum { INTID_UART = 33, INTID_RTC = 34, SPI_FIRST = 100, SPI_COUNT = 12, DEPTH_MAX = 3, TURNS_DEFAULT = 600 };
enum { UART_DR = 0, UART_FR = 0x18, UART_IMSC = 0x38, UART_RIS = 0x3c, UART_ICR = 0x44, FR_RXFE = 1 << 4 };
enum { RTC_RIS = 0x14, RTC_ICR = 0x1c };
enum { REPORT_TURNS = 64 };
#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

static void (*const moves[])(void) = {
	chaos_timers,
	chaos_timer_poll,
	chaos_counters,
	chaos_wait,
	chaos_pmu,
	chaos_masked,
	chaos_sgi,
	chaos_distributor,
	chaos_cpu_interface,
	chaos_acknowledge,
	chaos_uart,
	chaos_rtc,
	chaos_forms,
	chaos_call,
	chaos_fault,
	chaos_registers,
	chaos_debug_registers,
	chaos_breakpoint,
	chaos_user,
	chaos_user_step,
	chaos_exclusive,
	chaos_code,
	chaos_pages,
	chaos_cache,
	chaos_boundary,
	chaos_write,
	chaos_simd,
	chaos_send, /* from here on for several CPUs */
	chaos_route,
	chaos_power,
	chaos_shared_page,
	chaos_shared_code,
	chaos_shared_lock,
};
enum { MOVE_COUNT = sizeof(moves) / sizeof(moves[0]), MOVE_COUNT_ALONE = MOVE_COUNT - 6 };

/* A CPU that was off goes on at its turn. */
struct cpu {
	uint64_t state, hash, irq_count, turn;
	uint32_t depth;
	volatile uint64_t spins;
	bool done;
};

uint32_t chaos_cpu_count;
static struct cpu cpus[SMP_MAX];
static struct smp_lock printing;
static uint64_t turns, omitted;

static struct cpu *self(void)
{
	return &cpus[smp_self()];
}

uint64_t chaos_random(void)
{
	struct cpu *cpu = self();
	cpu->state += HASH_FACTOR;
	uint64_t z = cpu->state;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t chaos_pick(uint64_t limit)
{
	return chaos_random() % limit;
}

void chaos_see(uint64_t value)
{
	struct cpu *cpu = self();
	uint64_t hash = (cpu->hash ^ value) * HASH_FACTOR;
	cpu->hash = hash ^ hash >> 29;
}

void chaos_spin(uint64_t count)
{
	struct cpu *cpu = self();
	for (uint64_t i = 0; i < count; i++)
		cpu->spins++;
}

/* Takes the line down, so that the guest goes on. */
static void uart_irq(void)
{
	chaos_see(mmio_read32(UART + UART_RIS));
	while (!(mmio_read32(UART + UART_FR) & FR_RXFE))
		chaos_see(mmio_read32(UART + UART_DR));
	mmio_write32(UART + UART_ICR, 0x7ff);
	if (chaos_pick(2) == 0)
		mmio_write32(UART + UART_IMSC, 0);
}

static void act(uint32_t intid)
{
	if (intid == TIMER_INTID_VIRTUAL)
		chaos_vtimer_set();
	else if (intid == TIMER_INTID_PHYSICAL)
		chaos_ptimer_set();
	else if (intid == INTID_UART)
		uart_irq();
	else if (intid == INTID_RTC)
		mmio_write32(RTC + RTC_ICR, mmio_read32(RTC + RTC_RIS));
}

static void on_irq(uint32_t intid)
{
	struct cpu *cpu = self();
	cpu->irq_count++;
	chaos_see(intid);
	chaos_see(cpu->spins);
	chaos_see(SYSREG_READ(cntvct_el0));
	act(intid);
	isb(); /* the line is low before the end of interrupt */
	if (cpu->depth == DEPTH_MAX || chaos_pick(3) != 0)
		return;
	cpu->depth++;
	irq_unmask();
	chaos_spin(chaos_pick(60));
	irq_mask();
	cpu->depth--;
}

static void interrupts_on(void)
{
	for (uint32_t intid = 0; intid < 16; intid++)
		gic_enable(intid);
	gic_enable(TIMER_INTID_VIRTUAL);
	gic_enable(TIMER_INTID_PHYSICAL);
	irq_unmask();
}

static void shared_interrupts_on(void)
{
	exception_on_irq = on_irq;
	gic_init();
	for (uint32_t intid = SPI_FIRST; intid < SPI_FIRST + SPI_COUNT; intid++)
		gic_enable(intid);
	gic_enable(INTID_UART);
	gic_enable(INTID_RTC);
}

static void report(void)
{
	irq_mask();
	smp_lock(&printing);
	if (chaos_cpu_count > 1) {
		print("cpu ");
		print_number(smp_self());
		print(" ");
	}
	print("chaos ");
	print_number(self()->turn);
	print(" irqs ");
	print_number(self()->irq_count);
	print_value(" hash", self()->hash);
	smp_unlock(&printing);
	irq_unmask();
}

static void move_at_random(struct cpu *cpu)
{
	uint64_t move = chaos_pick(chaos_cpu_count > 1 ? MOVE_COUNT : MOVE_COUNT_ALONE);
	if (cpu->turn % REPORT_TURNS == 0)
		report();
	cpu->turn++; /* first: it may not come back from chaos_power */
	if (omitted >> move & 1)
		return;
	chaos_see(move);
	moves[move]();
	if (chaos_pick(4) == 0)
		irq_unmask();
}

void chaos_run(uint64_t number)
{
	struct cpu *cpu = &cpus[number];
	if (number != 0)
		gic_join();
	chaos_memory_join();
	chaos_user_join();
	interrupts_on();
	while (cpu->turn < turns)
		move_at_random(cpu);
	report();
	irq_mask();
	__atomic_store_n(&cpu->done, true, __ATOMIC_RELEASE);
}

_Noreturn void chaos_off(void)
{
	irq_mask();
	self()->depth = 0;
	smp_off();
}

/* Those that are off have turns left, or come up once more for nothing. */
static void wait_for_others(void)
{
	for (uint32_t number = 1; number < chaos_cpu_count; number++) {
		while (!__atomic_load_n(&cpus[number].done, __ATOMIC_ACQUIRE)) {
			smp_on(number, chaos_run, number);
			for (int i = 0; i < 100; i++)
				__asm__ volatile("yield" ::: "memory");
		}
		smp_wait_off(number);
		cpus[0].hash ^= cpus[number].hash;
	}
}

void guest_main(void)
{
	uint64_t seed = argument_number(0, 0);
	turns = argument_number(1, TURNS_DEFAULT);
	omitted = argument_number(2, 0);
	turns = turns ? turns : TURNS_DEFAULT;
	input_ask();
	mmu_on();
	chaos_cpu_count = smp_count();
	for (uint32_t number = 0; number < chaos_cpu_count; number++)
		cpus[number].state = seed + number * HASH_FACTOR * HASH_FACTOR;
	chaos_memory_init();
	chaos_user_init();
	chaos_smp_init();
	chaos_sync_init();
	shared_interrupts_on();
	for (uint32_t number = 1; number < chaos_cpu_count; number++)
		CHECK(smp_on(number, chaos_run, number) == 0, "CPU_ON failed");
	chaos_run(0);
	wait_for_others();
	if (chaos_cpu_count > 1)
		print_value("chaos all hash", cpus[0].hash);
}
