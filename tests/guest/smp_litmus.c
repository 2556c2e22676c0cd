/* The classic litmus tests of memory order: which outcomes of few loads and stores by several CPUs are seen, and how
 * often. One that sequential consistency forbids is a failure: CPUs that take turns have nothing weaker. Plain loads
 * and stores, no barriers, so a real CPU may well fail.
 *
 * Arguments: ROUNDS HINTS, decimal: rounds of each test, and 1 if the CPUs say YIELD at random between their accesses
 * (so that turns change there wherever YIELD ends one), 0 if not: then turns change where they do.
 *
 * Prints `litmus TEST OUTCOME COUNT`, and `forbidden` behind it, for each outcome: the registers as bits, the first one
 * read highest. All others can be seen if turns change anywhere. */
#include "tests/guest/lib/arguments.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/smp.h"

const char guest_name[] = "smp_litmus";

enum {
	ROUNDS_DEFAULT = 2000,
	HINTS_DEFAULT = 1,
	THREADS_MAX = 4,
	SLOT_COUNT = 4,
	OUTCOMES_MAX = 16,
	DELAY_MAX = 8,
	ROOM_MAX = 4
};

/* One round's. All are 0 when it begins; registers are bits of the outcome, set by who reads. */
struct slot {
	uint64_t x, y __attribute__((aligned(64)));
	uint64_t seen[THREADS_MAX] __attribute__((aligned(64)));
};

/* One thread's part. Returns what it read, the first in bit 1 if there are two. */
typedef uint64_t part(struct slot *slot, uint32_t room);

struct litmus {
	const char *name;
	uint32_t threads, registers;
	uint64_t forbidden;
	part *parts[THREADS_MAX];
	uint32_t shifts[THREADS_MAX]; /* where what a part returns is in the outcome */
};

/* Time for turns to end between two accesses: up to ROOM_MAX - 1 times round, each with a YIELD if ROOM_YIELD is set.
 */
#define ROOM_YIELD 8u
#define ROOM                                                                                                           \
	"\n1:	tst	%w[room], #7\n	b.eq	3f\n	tbz	%w[room], #3, 2f\n	yield\n"                                             \
	"2:	sub	%w[room], %w[room], #1\n	b	1b\n3:	"

static void store_store(uint64_t *first, uint64_t *second, uint32_t room)
{
	__asm__ volatile("str %3, [%1]" ROOM "str %3, [%2]"
			 : [room] "+r"(room)
			 : "r"(first), "r"(second), "r"(UINT64_C(1))
			 : "memory", "cc");
}

static uint64_t store_load(uint64_t *to, const uint64_t *from, uint32_t room)
{
	uint64_t value;
	__asm__ volatile("str %4, [%2]" ROOM "ldr %0, [%3]"
			 : "=&r"(value), [room] "+r"(room)
			 : "r"(to), "r"(from), "r"(UINT64_C(1))
			 : "memory", "cc");
	return value;
}

static uint64_t load_store(const uint64_t *from, uint64_t *to, uint32_t room)
{
	uint64_t value;
	__asm__ volatile("ldr %0, [%2]" ROOM "str %4, [%3]"
			 : "=&r"(value), [room] "+r"(room)
			 : "r"(from), "r"(to), "r"(UINT64_C(1))
			 : "memory", "cc");
	return value;
}

static uint64_t load_load(const uint64_t *one, const uint64_t *other, uint32_t room)
{
	uint64_t first, second;
	__asm__ volatile("ldr %0, [%3]" ROOM "ldr %1, [%4]"
			 : "=&r"(first), "=&r"(second), [room] "+r"(room)
			 : "r"(one), "r"(other)
			 : "memory", "cc");
	return first << 1 | second;
}

static uint64_t store_x(struct slot *slot, uint32_t room)
{
	(void)room;
	__atomic_store_n(&slot->x, 1, __ATOMIC_RELAXED);
	return 0;
}

static uint64_t store_y(struct slot *slot, uint32_t room)
{
	(void)room;
	__atomic_store_n(&slot->y, 1, __ATOMIC_RELAXED);
	return 0;
}

static uint64_t store_x_store_y(struct slot *slot, uint32_t room)
{
	store_store(&slot->x, &slot->y, room);
	return 0;
}

static uint64_t store_x_load_y(struct slot *slot, uint32_t room)
{
	return store_load(&slot->x, &slot->y, room);
}

static uint64_t store_y_load_x(struct slot *slot, uint32_t room)
{
	return store_load(&slot->y, &slot->x, room);
}

static uint64_t load_x_store_y(struct slot *slot, uint32_t room)
{
	return load_store(&slot->x, &slot->y, room);
}

static uint64_t load_y_store_x(struct slot *slot, uint32_t room)
{
	return load_store(&slot->y, &slot->x, room);
}

static uint64_t load_x_load_y(struct slot *slot, uint32_t room)
{
	return load_load(&slot->x, &slot->y, room);
}

static uint64_t load_y_load_x(struct slot *slot, uint32_t room)
{
	return load_load(&slot->y, &slot->x, room);
}

static uint64_t load_x_load_x(struct slot *slot, uint32_t room)
{
	return load_load(&slot->x, &slot->x, room);
}

static const struct litmus tests[] = {
	{"SB", 2, 2, 0, {store_x_load_y, store_y_load_x}, {1, 0}},
	{"MP", 2, 2, 2, {store_x_store_y, load_y_load_x}, {0, 0}},
	{"LB", 2, 2, 3, {load_x_store_y, load_y_store_x}, {1, 0}},
	{"CoRR", 2, 2, 2, {store_x, load_x_load_x}, {0, 0}},
	{"IRIW", 4, 4, 10, {store_x, load_x_load_y, store_y, load_y_load_x}, {0, 2, 0, 0}},
};
enum { TEST_COUNT = sizeof(tests) / sizeof(tests[0]) };

static struct slot slots[SLOT_COUNT];
static struct {
	uint64_t round;
} __attribute__((aligned(64))) arrived[THREADS_MAX];
static uint64_t rounds, hints, counts[OUTCOMES_MAX], random_state[THREADS_MAX];
static uint32_t thread_count;
static struct smp_barrier all;

static uint64_t some(uint64_t thread)
{
	uint64_t *state = &random_state[thread];
	*state = *state * UINT64_C(6364136223846793005) + 2 * thread + 1;
	return *state >> 33;
}

/* Returns when all threads of the test have come to this round. */
static void meet(uint64_t thread, uint32_t threads, uint64_t round)
{
	__atomic_store_n(&arrived[thread].round, round, __ATOMIC_RELEASE);
	for (uint32_t other = 0; other < threads; other++)
		while (__atomic_load_n(&arrived[other].round, __ATOMIC_ACQUIRE) < round)
			__asm__ volatile("yield" ::: "memory");
}

/* Before a thread's part, so that none is always the first. */
static void begin_somewhen(uint64_t thread)
{
	for (uint64_t delay = some(thread) % DELAY_MAX; delay != 0; delay--) {
		if (hints && delay % 3 == 0)
			__asm__ volatile("yield" ::: "memory");
		__asm__ volatile("nop");
	}
}

/* A round that all have left: they have come to the next one. */
static void collect(const struct litmus *test, uint64_t round)
{
	struct slot *slot = &slots[round % SLOT_COUNT];
	uint64_t outcome = 0;
	for (uint32_t thread = 0; thread < test->threads; thread++)
		outcome |= slot->seen[thread] << test->shifts[thread];
	counts[outcome]++;
	slot->x = slot->y = 0;
}

/* Rounds are counted from 1; each thread may be one ahead of another, so slots are cleared long before they are used.
 */
static void run_test(const struct litmus *test, uint64_t thread)
{
	for (uint64_t round = 1; round <= rounds; round++) {
		struct slot *slot = &slots[round % SLOT_COUNT];
		meet(thread, test->threads, round);
		begin_somewhen(thread);
		uint32_t room = (uint32_t)(some(thread) % ROOM_MAX) | (hints ? ROOM_YIELD : 0);
		uint64_t seen = test->parts[thread](slot, room);
		slot->seen[thread] = seen;
		if (thread == 0 && round > 1)
			collect(test, round - 1);
	}
	meet(thread, test->threads, rounds + 1);
	if (thread == 0)
		collect(test, rounds);
}

static void report(const struct litmus *test)
{
	for (uint64_t outcome = 0; outcome < UINT64_C(1) << test->registers; outcome++) {
		print("litmus ");
		print(test->name);
		print(" ");
		for (uint32_t bit = test->registers; bit-- != 0;)
			print(outcome >> bit & 1 ? "1" : "0");
		print(" ");
		print_number(counts[outcome]);
		print(outcome == test->forbidden ? " forbidden\n" : "\n");
		CHECK(outcome != test->forbidden || counts[outcome] == 0, "an outcome that is forbidden");
	}
}

static void run(uint64_t thread)
{
	random_state[thread] = thread + 1;
	for (uint32_t i = 0; i < TEST_COUNT; i++) {
		const struct litmus *test = &tests[i];
		if (test->threads > thread_count)
			continue;
		smp_barrier(&all, thread_count, SMP_SPIN_YIELD);
		if (thread < test->threads)
			run_test(test, thread);
		smp_barrier(&all, thread_count, SMP_SPIN_YIELD);
		if (thread != 0)
			continue;
		report(test);
		memset(counts, 0, sizeof(counts));
		memset(arrived, 0, sizeof(arrived));
		memset(slots, 0, sizeof(slots));
	}
}

void guest_main(void)
{
	rounds = argument_number(0, ROUNDS_DEFAULT);
	hints = argument_number(1, HINTS_DEFAULT);
	mmu_on();
	uint32_t count = smp_count();
	CHECK(count > 1, "the machine has too few CPUs");
	thread_count = count < THREADS_MAX ? count : THREADS_MAX;
	for (uint32_t thread = 1; thread < thread_count; thread++)
		CHECK(smp_on(thread, run, thread) == 0, "CPU_ON failed");
	run(0);
}
