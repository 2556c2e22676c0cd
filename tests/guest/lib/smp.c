/* A CPU that comes up reads nothing before its MMU is on (smp_entry.S), so that it sees what the others have stored. */
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/psci.h"

/* smp_entry.S: sets stack and vectors and calls smp_come_up(context) */
void smp_entry(void);
_Noreturn void smp_come_up(uint64_t context);

static smp_function *functions[SMP_MAX];
static struct smp_lock printing;

uint32_t smp_count(void)
{
	uint32_t count = 1;
	while (count < SMP_MAX && psci_call(PSCI_ID_AFFINITY_INFO, smp_mpidr(count), 0, 0) >= 0)
		count++;
	return count;
}

_Noreturn void smp_come_up(uint64_t context)
{
	mmu_join();
	functions[smp_self()](context);
	smp_off();
}

int32_t smp_on(uint32_t cpu, smp_function *run, uint64_t context)
{
	if (cpu < SMP_MAX)
		functions[cpu] = run;
	dsb(); /* the other one reads it */
	return psci_call(PSCI_ID_CPU_ON, smp_mpidr(cpu), (uint64_t)smp_entry, context);
}

_Noreturn void smp_off(void)
{
	irq_mask();
	dsb(); /* all that it did is done */
	psci_call(PSCI_ID_CPU_OFF, 0, 0, 0);
	guest_end("CPU_OFF returned");
}

void smp_wait_off(uint32_t cpu)
{
	while (psci_call(PSCI_ID_AFFINITY_INFO, smp_mpidr(cpu), 0, 0) != PSCI_AFFINITY_OFF)
		for (int i = 0; i < 50; i++) /* asking is a call: not all the time */
			__asm__ volatile("yield" ::: "memory");
}

uint32_t smp_start(smp_function *run, uint32_t count_min)
{
	uint32_t count = smp_count();
	CHECK(count >= count_min, "the machine has too few CPUs");
	for (uint32_t cpu = 0; cpu < count; cpu++)
		if (cpu != smp_self())
			CHECK(smp_on(cpu, run, cpu) == PSCI_SUCCESS, "CPU_ON failed");
	return count;
}

void smp_wait_for(const uint64_t *number, uint64_t value, enum smp_spin spin)
{
	while (__atomic_load_n(number, __ATOMIC_ACQUIRE) != value) {
		if (spin == SMP_SPIN_WFE)
			__asm__ volatile("wfe" ::: "memory");
		else
			__asm__ volatile("yield" ::: "memory");
	}
}

void smp_set(uint64_t *number, uint64_t value)
{
	__atomic_store_n(number, value, __ATOMIC_RELEASE);
	__asm__ volatile("dsb ishst\n sev" ::: "memory"); /* stored before those who wait look again */
}

void smp_barrier(struct smp_barrier *barrier, uint32_t count, enum smp_spin spin)
{
	uint64_t turn = __atomic_load_n(&barrier->turn, __ATOMIC_ACQUIRE);
	if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) == count) {
		barrier->arrived = 0;
		smp_set(&barrier->turn, turn + 1);
	} else {
		smp_wait_for(&barrier->turn, turn + 1, spin);
	}
}

void smp_lock(struct smp_lock *lock)
{
	uint64_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);
	smp_wait_for(&lock->serving, ticket, SMP_SPIN_WFE);
}

void smp_unlock(struct smp_lock *lock)
{
	smp_set(&lock->serving, lock->serving + 1);
}

void smp_print(const char *text, uint32_t cpu, const char *name, uint64_t value)
{
	smp_lock(&printing);
	print(text);
	print_number(cpu);
	print(" ");
	print_value(name, value);
	smp_unlock(&printing);
}
