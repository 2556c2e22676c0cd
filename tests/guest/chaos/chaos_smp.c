/* What several CPUs do to one another: interrupts, routing, power, translations and code that all use, and a lock.
 *
 * Nobody waits for a CPU that may be off: what is shared is taken by trying, and the one lock that is waited for is
 * held with interrupts masked and by no CPU that goes off. */
#include "tests/guest/chaos/chaos.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/psci.h"
#include "tests/guest/lib/timer.h"

enum { PAGE_BYTES = 4096, ENTRY_COUNT = 512, PAGES = 8, SLOT_COUNT = 16, SPI_FIRST = 100, SPI_COUNT = 12 };
enum { INTID_UART = 33, INTID_RTC = 34 };
#define WINDOW         UINT64_C(0x500000000)
#define WINDOW_INDEX   20 /* of 1 GiB entries */
#define TABLE          UINT64_C(3)
#define PAGE           (UINT64_C(3) | 1 << 2 | 3 << 8 | 1 << 10 | UINT64_C(1) << 54) /* normal, shared, accessed, UXN */
#define MOVZ_W0(value) (0x52800000u | (uint32_t)(value) << 5)
#define RET            0xd65f03c0u
#define NOP            0xd503201fu
#define BRANCH_3       0x14000003u /* three instructions on */

static uint8_t pages[2 * PAGES][PAGE_BYTES] __attribute__((aligned(4096)));
static uint64_t level2[ENTRY_COUNT] __attribute__((aligned(4096)));
static uint64_t level3[ENTRY_COUNT] __attribute__((aligned(4096)));
static uint32_t code[SLOT_COUNT][2] __attribute__((aligned(4096)));
static uint32_t swapped[5] __attribute__((aligned(64)));
static uint32_t table_taken, code_taken;
static struct smp_lock lock;
static uint64_t locked_sum, added[SMP_MAX];

static bool try_to_take(uint32_t *taken)
{
	return __atomic_exchange_n(taken, 1, __ATOMIC_ACQUIRE) == 0;
}

static void give(uint32_t *taken)
{
	__atomic_store_n(taken, 0, __ATOMIC_RELEASE);
}

static uint32_t some_cpu(void)
{
	return (uint32_t)chaos_pick(chaos_cpu_count);
}

void chaos_smp_init(void)
{
	const uint32_t words[] = {NOP, MOVZ_W0(1), RET, MOVZ_W0(2), RET};
	for (uint32_t i = 0; i < 5; i++)
		swapped[i] = words[i];
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		code[i][0] = MOVZ_W0(i);
		code[i][1] = RET;
	}
	mmu_code_written((uint64_t)swapped, sizeof(swapped));
	mmu_code_written((uint64_t)code, sizeof(code));
	for (uint32_t i = 0; i < PAGES; i++)
		level3[i] = (uint64_t)pages[i] | PAGE;
	level2[0] = (uint64_t)level3 | TABLE;
	mmu_level1()[WINDOW_INDEX] = (uint64_t)level2 | TABLE;
	dsb(); /* walks find it */
}

void chaos_send(void)
{
	for (uint64_t count = 1 + chaos_pick(4); count != 0; count--) {
		switch (chaos_pick(6)) {
		case 0:
			gic_send_others((uint32_t)chaos_pick(16));
			break;
		case 1:
			gic_set_pending_of(some_cpu(), (uint32_t)chaos_pick(16));
			break;
		case 2:
			gic_set_pending_of(some_cpu(), chaos_pick(2) ? TIMER_INTID_VIRTUAL : TIMER_INTID_PHYSICAL);
			break;
		case 3:
			__asm__ volatile("sev\n wfe\n yield" ::: "memory");
			break;
		default:
			gic_send((uint32_t)chaos_pick(16), (uint32_t)chaos_pick(UINT64_C(1) << chaos_cpu_count));
			break;
		}
		chaos_spin(chaos_pick(30));
	}
	chaos_see(SYSREG_READ(isr_el1));
}

void chaos_route(void)
{
	for (uint64_t count = 1 + chaos_pick(3); count != 0; count--) {
		uint32_t spi = SPI_FIRST + (uint32_t)chaos_pick(SPI_COUNT);
		gic_route(spi, some_cpu());
		if (chaos_pick(2) == 0)
			gic_set_pending(spi);
		if (chaos_pick(3) == 0)
			gic_route(spi, some_cpu());
		chaos_spin(chaos_pick(20));
		chaos_see(gic_is_pending(spi));
		chaos_see(gic_is_active(spi));
	}
	gic_route(chaos_pick(2) ? INTID_UART : INTID_RTC, some_cpu());
}

/* The first CPU stays on: it starts those that are off when it has done its moves. */
void chaos_power(void)
{
	uint32_t cpu = some_cpu();
	chaos_see((uint64_t)psci_call(PSCI_ID_AFFINITY_INFO, smp_mpidr(cpu), 0, 0));
	if (chaos_pick(3) != 0)
		chaos_see((uint64_t)smp_on(cpu, chaos_run, cpu));
	else if (smp_self() != 0 && chaos_pick(2) == 0)
		chaos_off();
}

static void touch(uint64_t va)
{
	uint64_t value = 0;
	__asm__ volatile("ldr %0, [%1]" : "+r"(value) : "r"(va) : "memory");
	chaos_see(value);
	__asm__ volatile("str %0, [%1, #8]" ::"r"(value + va), "r"(va) : "memory");
}

static void change_page(uint64_t page)
{
	volatile uint64_t *entry = &level3[page];
	*entry = 0;
	__asm__ volatile("dsb ishst" ::: "memory"); /* the table is written */
	if (chaos_pick(2) == 0)
		__asm__ volatile("tlbi vaae1is, %0" ::"r"((WINDOW >> 12) + page) : "memory");
	else
		__asm__ volatile("tlbi vmalle1is" ::: "memory");
	__asm__ volatile("dsb ish\n isb" ::: "memory"); /* no CPU has the translation any more */
	chaos_spin(chaos_pick(60));
	*entry = (uint64_t)pages[chaos_pick(2 * PAGES)] | PAGE;
	__asm__ volatile("dsb ishst\n isb" ::: "memory"); /* walks find it */
}

/* Break before make by one, while others may read and write there. */
void chaos_shared_page(void)
{
	chaos_sync_begin();
	for (uint64_t count = 1 + chaos_pick(6); count != 0; count--) {
		uint64_t page = chaos_pick(PAGES);
		touch(WINDOW + page * PAGE_BYTES + chaos_pick(510) * 8);
		if (chaos_pick(3) == 0 && try_to_take(&table_taken)) {
			change_page(page);
			give(&table_taken);
		}
	}
	chaos_sync_end();
}

static uint64_t call(const uint32_t *at)
{
	register uint64_t x0 __asm__("x0");
	__asm__ volatile("blr %1" : "=r"(x0) : "r"(at) : "x30", "memory");
	return x0;
}

/* One who has taken the code writes or runs it; the first instruction of `swapped` may change under those who run it.
 */
void chaos_shared_code(void)
{
	for (uint64_t count = 1 + chaos_pick(6); count != 0; count--) {
		chaos_see(call(swapped));
		if (!try_to_take(&code_taken))
			continue;
		isb(); /* what others wrote is fetched anew */
		uint32_t *at = code[chaos_pick(SLOT_COUNT)];
		if (chaos_pick(2) == 0) {
			at[0] = MOVZ_W0(chaos_pick(0x10000));
			mmu_code_written((uint64_t)at, 4);
		}
		chaos_see(call(at));
		if (chaos_pick(2) == 0) {
			*(volatile uint32_t *)swapped = chaos_pick(2) ? NOP : BRANCH_3;
			mmu_code_written((uint64_t)swapped, 4);
		}
		give(&code_taken);
	}
}

void chaos_shared_lock(void)
{
	for (uint64_t count = 1 + chaos_pick(20); count != 0; count--) {
		irq_mask();
		smp_lock(&lock);
		uint64_t sum = *(volatile uint64_t *)&locked_sum;
		chaos_spin(chaos_pick(10));
		locked_sum = sum + 1;
		added[smp_self()]++;
		smp_unlock(&lock);
		irq_unmask();
		chaos_see(sum);
	}
	if (chaos_pick(8) != 0)
		return;
	irq_mask();
	smp_lock(&lock);
	uint64_t sum = 0;
	for (uint32_t cpu = 0; cpu < chaos_cpu_count; cpu++)
		sum += added[cpu];
	CHECK(sum == locked_sum, "additions behind the lock were lost");
	smp_unlock(&lock);
	irq_unmask();
}
