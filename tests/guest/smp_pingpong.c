/* Two CPUs hand a token to and fro: by SGIs, for which both sleep in WFI, or by a flag, for which they spin, with WFE
 * or with YIELD.
 *
 * Arguments: ROUNDS WAY, decimal: how often it goes to and fro, and 1 (WFI), 2 (WFE) or 3 (YIELD); 0: each of them. */
#include "tests/guest/lib/arguments.h"
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/smp.h"

const char guest_name[] = "smp_pingpong";

enum { WAY_ALL, WAY_WFI, WAY_WFE, WAY_YIELD, WAY_COUNT, ROUNDS_DEFAULT = 500, SGI = 3 };

static volatile uint64_t received[2];
static uint64_t token;
static uint64_t rounds, way;
static struct smp_barrier both;

static void take_sgi(uint32_t intid)
{
	CHECK(intid == SGI, "wrong interrupt number");
	received[smp_self()]++;
}

static void wait_sgi(uint32_t self, uint64_t count)
{
	while (received[self] != count) {
		wfi();
		irq_unmask();
		irq_mask();
	}
}

static void play_wfi(uint32_t self)
{
	for (uint64_t i = 1; i <= rounds; i++) {
		if (self == 0)
			gic_send(SGI, 2);
		wait_sgi(self, i);
		if (self == 1)
			gic_send(SGI, 1);
	}
	received[self] = 0;
}

static void play_spinning(uint32_t self, enum smp_spin spin)
{
	for (uint64_t i = 0; i < rounds; i++) {
		smp_wait_for(&token, 2 * i + self, spin);
		smp_set(&token, 2 * i + self + 1);
	}
}

static void play(uint32_t self)
{
	static const char *const names[] = {"", "wfi", "wfe", "yield"};
	for (uint32_t now = WAY_WFI; now < WAY_COUNT; now++) {
		if (way != WAY_ALL && way != now)
			continue;
		smp_barrier(&both, 2, SMP_SPIN_YIELD);
		if (now == WAY_WFI)
			play_wfi(self);
		else
			play_spinning(self, now == WAY_WFE ? SMP_SPIN_WFE : SMP_SPIN_YIELD);
		smp_barrier(&both, 2, SMP_SPIN_YIELD);
		if (self == 1)
			continue;
		CHECK(now == WAY_WFI || token == 2 * rounds, "the token went another number of times");
		token = 0;
		print_value(names[now], rounds);
	}
}

static void second(uint64_t self)
{
	gic_join();
	gic_enable(SGI);
	play((uint32_t)self);
}

void guest_main(void)
{
	rounds = argument_number(0, ROUNDS_DEFAULT);
	way = argument_number(1, WAY_ALL);
	mmu_on();
	exception_on_irq = take_sgi;
	gic_init();
	gic_enable(SGI);
	CHECK(smp_count() > 1, "the machine has too few CPUs");
	CHECK(smp_on(1, second, 1) == 0, "CPU_ON failed");
	play(0);
	smp_wait_off(1);
}
