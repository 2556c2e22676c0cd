/* Counters that all CPUs add to at once, by exclusives, by exclusive pairs, by LSE's instructions and behind a lock: no
 * addition is lost.
 *
 * Argument: ROUNDS, decimal: how often each CPU adds to each. */
#include "tests/guest/lib/arguments.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/smp.h"

const char guest_name[] = "smp_atomics";

enum { ROUNDS_DEFAULT = 3000 };

struct pair {
	uint64_t low, high;
} __attribute__((aligned(16)));

static uint64_t rounds;
static uint32_t cpu_count;
static struct smp_barrier all;
static struct smp_lock lock;
static volatile uint64_t exclusive_sum, acquire_sum, swapped_sum, added_sum, locked_sum, locked_copy, taken_sum,
	given_sum;
static volatile struct pair pair;
static uint64_t box; /* what is swapped in and out of it is counted by who has it in the end */
static uint32_t word_sum;
static uint8_t byte_sum;
static uint64_t pair_tries;

static void add_exclusive(void)
{
	uint64_t value;
	uint32_t failed;
	__asm__ volatile("1: ldxr %0, [%2]\n add %0, %0, #1\n stxr %w1, %0, [%2]\n cbnz %w1, 1b"
			 : "=&r"(value), "=&r"(failed)
			 : "r"(&exclusive_sum)
			 : "memory");
}

/* With more instructions between, so that a turn may end there. */
static void add_acquire(void)
{
	uint64_t value;
	uint32_t failed;
	__asm__ volatile(
		"1: ldaxr %0, [%2]\n add %0, %0, #1\n .rept 20\n nop\n .endr\n stlxr %w1, %0, [%2]\n cbnz %w1, 1b"
		: "=&r"(value), "=&r"(failed)
		: "r"(&acquire_sum)
		: "memory");
}

static uint64_t add_pair(void)
{
	uint64_t low, high, tries = 0;
	uint32_t failed;
	__asm__ volatile("1: add %3, %3, #1\n ldaxp %0, %1, [%4]\n add %0, %0, #1\n add %1, %1, #2\n"
			 " stlxp %w2, %0, %1, [%4]\n cbnz %w2, 1b"
			 : "=&r"(low), "=&r"(high), "=&r"(failed), "+r"(tries)
			 : "r"(&pair)
			 : "memory");
	return tries - 1;
}

static void add_swapped(void)
{
	uint64_t old, seen;
	do {
		old = seen = swapped_sum;
		__asm__ volatile(".arch_extension lse\n casal %0, %1, [%2]"
				 : "+r"(seen)
				 : "r"(old + 1), "r"(&swapped_sum)
				 : "memory");
	} while (seen != old);
}

static void add_atomic(void)
{
	uint64_t old;
	__asm__ volatile(".arch_extension lse\n ldaddal %1, %0, [%2]"
			 : "=r"(old)
			 : "r"(UINT64_C(1)), "r"(&added_sum)
			 : "memory");
	__asm__ volatile(".arch_extension lse\n stadd %w0, [%1]\n staddb %w0, [%2]"
			 :
			 : "r"(1), "r"(&word_sum), "r"(&byte_sum)
			 : "memory");
}

static void add_locked(void)
{
	smp_lock(&lock);
	uint64_t sum = locked_sum;
	locked_copy = sum + 1;
	CHECK(locked_sum == sum, "two hold the lock");
	locked_sum = locked_copy;
	smp_unlock(&lock);
}

/* Returns what was in the box. */
static uint64_t swap(uint64_t value)
{
	uint64_t old;
	__asm__ volatile(".arch_extension lse\n swpal %1, %0, [%2]" : "=r"(old) : "r"(value), "r"(&box) : "memory");
	return old;
}

static void run(uint64_t self)
{
	uint64_t given = 0, taken = 0, tries = 0;
	smp_barrier(&all, cpu_count, SMP_SPIN_WFE);
	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t gift = i * SMP_MAX + self;
		add_exclusive();
		add_acquire();
		tries += add_pair();
		add_swapped();
		add_atomic();
		add_locked();
		given += gift;
		taken += swap(gift);
	}
	__atomic_fetch_add(&given_sum, given, __ATOMIC_RELAXED);
	__atomic_fetch_add(&taken_sum, taken, __ATOMIC_RELAXED);
	__atomic_fetch_add(&pair_tries, tries, __ATOMIC_RELAXED);
	smp_barrier(&all, cpu_count, SMP_SPIN_YIELD);
}

void guest_main(void)
{
	rounds = argument_number(0, ROUNDS_DEFAULT);
	mmu_on();
	cpu_count = smp_count();
	smp_start(run, 2);
	run(0);
	uint64_t sum = rounds * cpu_count;
	CHECK(exclusive_sum == sum, "LDXR/STXR: additions lost");
	CHECK(acquire_sum == sum, "LDAXR/STLXR: additions lost");
	CHECK(pair.low == sum && pair.high == 2 * sum, "LDAXP/STLXP: additions lost");
	CHECK(swapped_sum == sum, "CASAL: additions lost");
	CHECK(added_sum == sum, "LDADDAL: additions lost");
	CHECK(word_sum == (uint32_t)sum && byte_sum == (uint8_t)sum, "STADD: additions lost");
	CHECK(locked_sum == sum, "ticket lock: additions lost");
	CHECK(taken_sum + box == given_sum, "SWPAL: a value lost or twice");
	print_value("each", sum);
	print_value("exclusive pairs that were tried again", pair_tries);
}
