/* More interrupts than list registers: 12 pending at once come in the order of their priorities; 8 preempt one another,
 * each made pending in the handler of the one before; a weaker one made pending meanwhile waits for all of them. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "gic_many";

enum { SPI_FIRST = 100, PENDING_COUNT = 12, NEST_COUNT = 8, WEAK = 120, WEAK_PRIORITY = 0xf0 };

static volatile uint32_t taken[32];
static volatile uint32_t taken_count, depth;

static uint8_t priority_of(uint32_t i) /* all different: 5 and 12 have no common divisor */
{
	return (uint8_t)(0x10 + i * 5 % PENDING_COUNT * 0x10);
}

static void take_in_order(uint32_t intid)
{
	CHECK(taken_count < PENDING_COUNT, "too many interrupts");
	taken[taken_count++] = intid;
}

static void take_nested(uint32_t intid)
{
	CHECK(intid == SPI_FIRST + depth || (intid == WEAK && depth == NEST_COUNT), "wrong order of preemption");
	if (intid == WEAK) {
		CHECK(taken_count == NEST_COUNT, "weaker interrupt did not wait");
		taken_count++;
		return;
	}
	uint32_t mine = depth++;
	CHECK(SYSREG_READ(icc_rpr_el1) == 0x90u - 0x10 * mine, "running priority is not the interrupt's");
	irq_unmask();
	if (mine == 2)
		gic_set_pending(WEAK);
	if (mine + 1 < NEST_COUNT)
		gic_set_pending(SPI_FIRST + mine + 1);
	for (int i = 0; i < 100; i++)
		isb();
	irq_mask();
	CHECK(depth == NEST_COUNT, "stronger interrupt did not preempt");
	taken_count++;
	CHECK(taken_count == NEST_COUNT - mine, "handlers did not end from the strongest to the weakest");
}

static void all_pending(void)
{
	exception_on_irq = take_in_order;
	for (uint32_t i = 0; i < PENDING_COUNT; i++) {
		gic_set_priority(SPI_FIRST + i, priority_of(i));
		gic_set_edge(SPI_FIRST + i, i & 1);
		gic_enable(SPI_FIRST + i);
		gic_set_pending(SPI_FIRST + i);
	}
	irq_unmask();
	for (int i = 0; i < 100; i++)
		isb();
	irq_mask();
	CHECK(taken_count == PENDING_COUNT, "not all pending interrupts taken");
	for (uint32_t i = 1; i < PENDING_COUNT; i++)
		CHECK(priority_of(taken[i - 1] - SPI_FIRST) < priority_of(taken[i] - SPI_FIRST),
		      "not in priority order");
}

static void all_nested(void)
{
	exception_on_irq = take_nested;
	taken_count = 0;
	for (uint32_t i = 0; i < NEST_COUNT; i++)
		gic_set_priority(SPI_FIRST + i, (uint8_t)(0x90 - 0x10 * i));
	gic_set_priority(WEAK, WEAK_PRIORITY);
	gic_enable(WEAK);
	gic_set_pending(SPI_FIRST);
	irq_unmask();
	for (int i = 0; i < 100; i++)
		isb();
	irq_mask();
	CHECK(taken_count == NEST_COUNT + 1, "not all nested interrupts taken");
	for (uint32_t i = 0; i < NEST_COUNT; i++)
		CHECK(!gic_is_active(SPI_FIRST + i) && !gic_is_pending(SPI_FIRST + i), "not idle afterwards");
}

void guest_main(void)
{
	gic_init();
	for (int round = 0; round < 3; round++) {
		taken_count = depth = 0;
		all_pending();
		all_nested();
	}
}
