/* Everything that a guest may do, in random order: what it does comes from a seed, and all that it sees goes into a
 * hash that it prints now and then and at the end. A replay that lets one value in past the gate prints another hash.
 *
 * Arguments: SEED TURNS OMITTED, decimal: how the random numbers begin, how many moves it makes, and the moves that it
 * leaves out, as a mask of their numbers in the table below. */
#include "tests/guest/chaos/chaos.h"
#include "tests/guest/lib/dtb.h"
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
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
};
enum { MOVE_COUNT = sizeof(moves) / sizeof(moves[0]) };

static uint64_t state, hash, irq_count;
static uint32_t depth;
static volatile uint64_t spins;

uint64_t chaos_random(void)
{
	state += HASH_FACTOR;
	uint64_t z = state;
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
	hash = (hash ^ value) * HASH_FACTOR;
	hash ^= hash >> 29;
}

void chaos_spin(uint64_t turns)
{
	for (uint64_t i = 0; i < turns; i++)
		spins++;
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
	irq_count++;
	chaos_see(intid);
	chaos_see(spins);
	chaos_see(SYSREG_READ(cntvct_el0));
	act(intid);
	isb(); /* the line is low before the end of interrupt */
	if (depth == DEPTH_MAX || chaos_pick(3) != 0)
		return;
	depth++;
	irq_unmask();
	chaos_spin(chaos_pick(60));
	irq_mask();
	depth--;
}

static uint64_t number_at(const char **text)
{
	uint64_t number = 0;
	while (**text == ' ')
		(*text)++;
	for (; **text >= '0' && **text <= '9'; (*text)++)
		number = number * 10 + (uint64_t)(**text - '0');
	return number;
}

static void interrupts_on(void)
{
	gic_init();
	for (uint32_t intid = 0; intid < 16; intid++)
		gic_enable(intid);
	for (uint32_t intid = SPI_FIRST; intid < SPI_FIRST + SPI_COUNT; intid++)
		gic_enable(intid);
	gic_enable(TIMER_INTID_VIRTUAL);
	gic_enable(TIMER_INTID_PHYSICAL);
	gic_enable(INTID_UART);
	gic_enable(INTID_RTC);
	exception_on_irq = on_irq;
	irq_unmask();
}

static void report(uint64_t turn)
{
	irq_mask();
	print("chaos ");
	print_number(turn);
	print(" irqs ");
	print_number(irq_count);
	print_value(" hash", hash);
	irq_unmask();
}

void guest_main(void)
{
	uint32_t bytes;
	const char *text = (const char *)dtb_property("chosen", "bootargs", &bytes);
	text = text ? text : "";
	state = number_at(&text);
	uint64_t turns = number_at(&text);
	uint64_t omitted = number_at(&text);
	turns = turns ? turns : TURNS_DEFAULT;
	input_ask();
	mmu_on();
	chaos_memory_init();
	chaos_user_init();
	interrupts_on();
	for (uint64_t turn = 0; turn < turns; turn++) {
		uint64_t move = chaos_pick(MOVE_COUNT);
		if (turn % REPORT_TURNS == 0)
			report(turn);
		if (omitted >> move & 1)
			continue;
		chaos_see(move);
		moves[move]();
		if (chaos_pick(4) == 0)
			irq_unmask();
	}
	irq_mask();
	report(turns);
	irq_mask();
}
