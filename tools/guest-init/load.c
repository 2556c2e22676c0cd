/* load STEP COUNT: one step of the workload for all CPUs that init runs with hvrec.smp. WORKERS processes or threads,
 * whatever the number of CPUs, share the CPUs out among them; COUNT says how much each does. Status 0 if all was right:
 * each step checks what it did. */
#include "tools/guest-init/linux.h"

enum { WORKERS = 8, BLOCK_BYTES = 16384, ARENA_PAGES = 128, PRIVATE_EXPEDITED = 1 << 3 };
enum { REGISTER_PRIVATE_EXPEDITED = 1 << 4, GLOBAL = 1, STAGE_PAGES = 16 };

const char linux_program[] = "load";

static uint64_t count;
static uint32_t running[WORKERS];

/* Runs it in WORKERS processes, worker i on CPU i modulo their number. */
static void in_processes(void (*run)(uint64_t worker))
{
	long children[WORKERS];
	for (uint64_t i = 0; i < WORKERS; i++) {
		children[i] = linux_fork();
		if (children[i] == 0) {
			linux_pin(i);
			run(i);
			CALL(SYS_EXIT_GROUP, 0, 0, 0);
		}
	}
	for (uint64_t i = 0; i < WORKERS; i++)
		CHECK(linux_wait(children[i]) == 0, "a worker failed");
}

static void in_threads(void (*run)(uint64_t worker))
{
	for (uint64_t i = 0; i < WORKERS; i++)
		linux_thread(run, i, &running[i]);
	for (uint64_t i = 0; i < WORKERS; i++)
		linux_join(&running[i]);
}

/* ---- fork, exec ---- */

static void fork_and_exec(uint64_t worker)
{
	char *const arguments[] = {"true", 0}, *const environment[] = {0};
	(void)worker;
	for (uint64_t i = 0; i < count; i++) {
		long child = linux_fork();
		if (child == 0) {
			CALL(SYS_EXECVE, "/bin/true", arguments, environment);
			CALL(SYS_EXIT_GROUP, 1, 0, 0);
		}
		CHECK(linux_wait(child) == 0, "fork: /bin/true failed");
	}
}

/* ---- pipes: a token goes round, then blocks go from each worker to the next ---- */

static int32_t pipes[WORKERS][2];

static void pass_round(uint64_t worker)
{
	int32_t in = pipes[worker][0], out = pipes[(worker + 1) % WORKERS][1];
	uint8_t *block = linux_map(BLOCK_BYTES, MAP_PRIVATE);
	for (uint64_t i = 0; i < count; i++) {
		uint8_t token = (uint8_t)i;
		if (worker == 0)
			CHECK(CALL(SYS_WRITE, out, &token, 1) == 1, "pipe: not written");
		CHECK(CALL(SYS_READ, in, &token, 1) == 1 && token == (uint8_t)i, "pipe: another token");
		if (worker != 0)
			CHECK(CALL(SYS_WRITE, out, &token, 1) == 1, "pipe: not written");
		if (i % 16 != 0)
			continue;
		for (uint64_t at = 0; at < BLOCK_BYTES; at += 64)
			block[at] = (uint8_t)(worker + i);
		CHECK(CALL(SYS_WRITE, out, block, BLOCK_BYTES) == BLOCK_BYTES, "pipe: block not written");
		for (long got = 0, now; got < BLOCK_BYTES; got += now) {
			now = CALL(SYS_READ, in, block + got, BLOCK_BYTES - got);
			CHECK(now > 0, "pipe: block not read");
		}
		CHECK(block[BLOCK_BYTES - 64] == (uint8_t)((worker + WORKERS - 1) % WORKERS + i),
		      "pipe: another block");
	}
}

static void pipes_between_all(void)
{
	for (uint64_t i = 0; i < WORKERS; i++)
		CHECK(CALL(SYS_PIPE2, pipes[i], 0, 0) == 0, "pipe: none");
	in_processes(pass_round);
}

/* ---- futex: all want one mutex, and some give the CPU away while they hold it ---- */

static uint32_t mutex;
static volatile uint64_t held_sum;

static void contend(uint64_t worker)
{
	linux_pin(worker);
	for (uint64_t i = 0; i < count; i++) {
		linux_lock(&mutex);
		uint64_t sum = held_sum;
		if ((i + worker) % 8 == 0)
			CALL(SYS_SCHED_YIELD, 0, 0, 0);
		held_sum = sum + 1;
		linux_unlock(&mutex);
	}
}

static void futexes(void)
{
	in_threads(contend);
	CHECK(held_sum == WORKERS * count, "futex: an addition was lost");
}

/* ---- membarrier: an IPI to each CPU that runs a thread of ours ---- */

static void bar(uint64_t worker)
{
	linux_pin(worker);
	for (uint64_t i = 0; i < count; i++) {
		CHECK(CALL(SYS_MEMBARRIER, PRIVATE_EXPEDITED, 0, 0) == 0, "membarrier failed");
		__atomic_fetch_add(&held_sum, 1, __ATOMIC_RELAXED);
	}
}

static void membarriers(void)
{
	CHECK(CALL(SYS_MEMBARRIER, REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0, "membarrier: not registered");
	in_threads(bar);
	CHECK(held_sum == WORKERS * count, "membarrier: a thread did not come to its end");
	CHECK(CALL(SYS_MEMBARRIER, GLOBAL, 0, 0) == 0, "membarrier: global failed");
}

/* ---- mprotect: each worker changes its pages of one mapping while all read all of it ---- */

static volatile uint64_t *stage;

static volatile uint64_t *stage_page(uint64_t page)
{
	return stage + page * (PAGE_BYTES / sizeof(uint64_t));
}

static void protect(uint64_t worker)
{
	volatile uint64_t *mine = stage_page(worker * STAGE_PAGES);
	linux_pin(worker);
	for (uint64_t i = 0; i < count; i++) {
		CHECK(CALL(SYS_MPROTECT, mine, STAGE_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE) == 0, "mprotect");
		for (uint64_t page = 0; page < STAGE_PAGES; page++)
			*stage_page(worker * STAGE_PAGES + page) = i + 1;
		CHECK(CALL(SYS_MPROTECT, mine, STAGE_PAGES * PAGE_BYTES, PROT_READ) == 0, "mprotect");
		for (uint64_t page = 0; page < WORKERS * STAGE_PAGES; page++)
			CHECK(*stage_page(page) <= count, "mprotect: what nobody wrote");
		uint64_t *other = linux_map(4 * PAGE_BYTES, MAP_PRIVATE);
		other[PAGE_BYTES / 8] = i;
		CHECK(CALL(SYS_MUNMAP, other, 4 * PAGE_BYTES, 0) == 0, "munmap");
	}
	CHECK(*mine == count, "mprotect: a write was lost");
}

static void protections(void)
{
	stage = linux_map(WORKERS * STAGE_PAGES * PAGE_BYTES, MAP_PRIVATE);
	in_threads(protect);
}

/* ---- memory: pages filled, copied on write by a child, and compared ---- */

static void fill(uint64_t worker)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t *arena = linux_map(ARENA_PAGES * PAGE_BYTES, MAP_PRIVATE);
		for (uint64_t at = 0; at < ARENA_PAGES * PAGE_BYTES / 8; at += 8)
			arena[at] = at ^ worker ^ i;
		long child = linux_fork();
		if (child == 0) {
			for (uint64_t at = 0; at < ARENA_PAGES * PAGE_BYTES / 8; at += PAGE_BYTES / 8)
				arena[at] = ~UINT64_C(0);
			CALL(SYS_EXIT_GROUP, 0, 0, 0);
		}
		CHECK(linux_wait(child) == 0, "memory: a child failed");
		for (uint64_t at = 0; at < ARENA_PAGES * PAGE_BYTES / 8; at += 8)
			CHECK(arena[at] == (at ^ worker ^ i), "memory: other contents");
		CALL(SYS_MUNMAP, arena, ARENA_PAGES * PAGE_BYTES, 0);
	}
}

/* ---- migration: each goes from CPU to CPU, carried by the one it leaves ---- */

static void migrate(uint64_t worker)
{
	for (uint64_t i = 0; i < count; i++) {
		linux_pin(worker + i);
		for (volatile uint64_t spin = 0; spin < 2000; spin++)
			;
	}
}

/* ---- network namespaces: made and destroyed, which waits for RCU ---- */

static void make_namespaces(uint64_t worker)
{
	(void)worker;
	for (uint64_t i = 0; i < count; i++)
		CHECK(CALL(SYS_UNSHARE, CLONE_NEWNET, 0, 0) == 0, "namespaces: unshare failed");
}

/* ---- spin: no system call at all, for whoever wants the CPUs busy ---- */

static void spin(uint64_t worker)
{
	(void)worker;
	for (volatile uint64_t turn = 0; turn < count * 1000; turn++)
		;
}

static void forks(void)
{
	in_processes(fork_and_exec);
}

static void memory(void)
{
	in_processes(fill);
}

static void migrations(void)
{
	in_processes(migrate);
}

static void namespaces(void)
{
	in_processes(make_namespaces);
}

static void spins(void)
{
	in_processes(spin);
}

static const struct {
	const char *name;
	void (*run)(void);
} steps[] = {
	{"fork", forks},           {"pipe", pipes_between_all}, {"futex", futexes},      {"membarrier", membarriers},
	{"mprotect", protections}, {"memory", memory},          {"migrate", migrations}, {"netns", namespaces},
	{"spin", spins},
};

static int is_same(const char *one, const char *other)
{
	while (*one && *one == *other) {
		one++;
		other++;
	}
	return *one == *other;
}

int linux_main(int argument_count, char **arguments)
{
	CHECK(argument_count == 3, "usage: load STEP COUNT");
	for (const char *digit = arguments[2]; *digit >= '0' && *digit <= '9'; digit++)
		count = count * 10 + (uint64_t)(*digit - '0');
	for (uint64_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (!is_same(arguments[1], steps[i].name))
			continue;
		steps[i].run();
		return 0;
	}
	linux_fail("no such step");
}
