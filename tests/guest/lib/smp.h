/* Several CPUs: starting and stopping them by PSCI, and what they share: a lock, a barrier. A CPU is known by its
 * number, which is its affinity 0; the first one is 0. They need the MMU (mmu_on), for exclusives are defined on normal
 * memory only. */
#pragma once
#include "tests/guest/lib/guest.h"

enum { SMP_MAX = 8 };

/* Runs on a CPU that was started, with interrupts masked; returning from it is CPU_OFF. */
typedef void smp_function(uint64_t context);

static inline uint32_t smp_self(void)
{
	return (uint32_t)SYSREG_READ(mpidr_el1) & 0xff;
}

/* As PSCI and GICD_IROUTER name a CPU. */
static inline uint64_t smp_mpidr(uint32_t cpu)
{
	return cpu;
}

/* How many there are, as PSCI knows them; at most SMP_MAX. */
uint32_t smp_count(void);

/* One CPU_ON: the PSCI status. Callers that race for one CPU must give the same function. */
int32_t smp_on(uint32_t cpu, smp_function *run, uint64_t context);
_Noreturn void smp_off(void);

/* Waits until the CPU is off, as AFFINITY_INFO says. */
void smp_wait_off(uint32_t cpu);

/* Starts all but this one with their number as context, which has to succeed. Returns how many there are, this one
 * included. `count_min`: fewer are a failure. */
uint32_t smp_start(smp_function *run, uint32_t count_min);

enum smp_spin { SMP_SPIN_WFE, SMP_SPIN_YIELD };

/* Waits until the number is `value`. It has to be changed by smp_set if `spin` is WFE. */
void smp_wait_for(const uint64_t *number, uint64_t value, enum smp_spin spin);
void smp_set(uint64_t *number, uint64_t value);

struct smp_barrier {
	uint64_t arrived;
	uint64_t turn;
};

/* Returns when `count` CPUs have come, as often as wanted. What was stored before is seen by all behind it. */
void smp_barrier(struct smp_barrier *barrier, uint32_t count, enum smp_spin spin);

/* A ticket lock. Not to be taken in an interrupt handler if it is taken with interrupts on elsewhere. */
struct smp_lock {
	uint64_t next;
	uint64_t serving;
};
void smp_lock(struct smp_lock *lock);
void smp_unlock(struct smp_lock *lock);

/* Prints without others between: text, cpu, and the rest of the line. */
void smp_print(const char *text, uint32_t cpu, const char *name, uint64_t value);
