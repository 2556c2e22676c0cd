/* CPUs come up by CPU_ON, each with its context and alone on the console in its turn, go off and come up again, twice;
 * what is on, and what does not exist, cannot be started; of several who start one CPU at once exactly one does. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/psci.h"
#include "tests/guest/lib/smp.h"

const char guest_name[] = "smp_start";

enum { TIMES = 3, RACE_COUNT = 20 };
#define CONTEXT(time, cpu) (UINT64_C(0xc0de000000000000) + (uint64_t)(time)*0x100 + (cpu))

static uint64_t turn, present, race_time, released;
static uint64_t winners, others, started_by;
static uint32_t cpu_count;
static struct smp_barrier racers;

static int32_t affinity(uint32_t cpu)
{
	return psci_call(PSCI_ID_AFFINITY_INFO, smp_mpidr(cpu), 0, 0);
}

static void come_up(uint64_t context)
{
	uint32_t self = smp_self();
	CHECK((SYSREG_READ(mpidr_el1) & 0xff00ffffff) == smp_mpidr(self), "affinity beyond 0 is not 0");
	CHECK((SYSREG_READ(daif) & 0x3c0) == 0x3c0, "came up with interrupts unmasked");
	CHECK(SYSREG_READ(currentel) == 1 << 2, "came up at another level than EL1");
	CHECK((context & 0xff) == self, "another CPU's context");
	__atomic_fetch_add(&present, 1, __ATOMIC_ACQ_REL);
	smp_wait_for(&turn, self, SMP_SPIN_WFE);
	smp_print("cpu ", self, "mpidr", SYSREG_READ(mpidr_el1));
	smp_print("cpu ", self, "context", context);
	smp_set(&turn, self + 1);
}

static void all_on_and_off(uint32_t time)
{
	present = turn = 0;
	for (uint32_t cpu = 1; cpu < cpu_count; cpu++) {
		CHECK(affinity(cpu) == PSCI_AFFINITY_OFF, "AFFINITY_INFO: not off before CPU_ON");
		CHECK(smp_on(cpu, come_up, CONTEXT(time, cpu)) == PSCI_SUCCESS, "CPU_ON failed");
	}
	smp_wait_for(&present, cpu_count - 1, SMP_SPIN_YIELD);
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
		CHECK(affinity(cpu) == PSCI_AFFINITY_ON, "AFFINITY_INFO: not on");
		CHECK(smp_on(cpu, come_up, 0) == PSCI_ALREADY_ON, "CPU_ON of a CPU that is on is not ALREADY_ON");
	}
	smp_set(&turn, 1);
	smp_wait_for(&turn, cpu_count, SMP_SPIN_WFE);
	for (uint32_t cpu = 1; cpu < cpu_count; cpu++)
		smp_wait_off(cpu);
}

static void absent(void)
{
	const uint64_t mpidr[] = {cpu_count, 0x100, 0x10000, UINT64_C(0x100000000)};
	for (uint32_t i = 0; i < sizeof(mpidr) / sizeof(mpidr[0]); i++) {
		CHECK(psci_call(PSCI_ID_CPU_ON, mpidr[i], RAM, 0) == PSCI_INVALID_PARAMETERS, "CPU_ON of no CPU");
		CHECK(psci_call(PSCI_ID_AFFINITY_INFO, mpidr[i], 0, 0) == PSCI_INVALID_PARAMETERS,
		      "AFFINITY_INFO of no CPU");
	}
}

static void raced_for(uint64_t context)
{
	started_by = context;
	uint64_t time = __atomic_add_fetch(&race_time, 1, __ATOMIC_ACQ_REL);
	smp_wait_for(&released, time, SMP_SPIN_WFE); /* it is on until all have asked for it */
}

static void race(uint64_t self)
{
	uint32_t prize = cpu_count - 1;
	for (uint64_t i = 0; i < RACE_COUNT; i++) {
		smp_barrier(&racers, prize, SMP_SPIN_WFE);
		int32_t status = smp_on(prize, raced_for, self);
		if (status == PSCI_SUCCESS)
			__atomic_fetch_add(&winners, self + 1, __ATOMIC_ACQ_REL);
		else if (status == PSCI_ALREADY_ON || status == PSCI_ON_PENDING) /* QEMU's board may say so */
			__atomic_fetch_add(&others, 1, __ATOMIC_ACQ_REL);
		else
			guest_end("CPU_ON by several: a wrong status");
		smp_barrier(&racers, prize, SMP_SPIN_YIELD);
		if (self != 0)
			continue;
		smp_wait_for(&race_time, i + 1, SMP_SPIN_YIELD);
		CHECK(others == prize - 1, "CPU_ON by several: not one SUCCESS");
		CHECK(winners == started_by + 1, "CPU_ON by several: started for another one than who was told");
		winners = others = 0;
		smp_set(&released, i + 1);
		smp_wait_off(prize);
	}
}

/* The last one is the prize. With two CPUs there is one racer. */
static void all_race(void)
{
	for (uint32_t cpu = 1; cpu < cpu_count - 1; cpu++)
		CHECK(smp_on(cpu, race, cpu) == PSCI_SUCCESS, "CPU_ON failed");
	race(0);
	for (uint32_t cpu = 1; cpu < cpu_count; cpu++)
		smp_wait_off(cpu);
}

void guest_main(void)
{
	mmu_on();
	cpu_count = smp_count();
	print_value("cpus", cpu_count);
	CHECK(cpu_count > 1, "the machine has too few CPUs");
	for (uint32_t time = 0; time < TIMES; time++)
		all_on_and_off(time);
	absent();
	all_race();
}
