/* A bug to hunt, for docs/GDB.md and tests/gdb: a timer interrupt handler writes into memory that was given back, and
 * that is a node of a list by then. The list's reader finds a pointer to nowhere, long after. The payload's result is
 * that it does: PASS when the list is found broken. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/timer.h"

const char guest_name[] = "corruption";

enum { SLOT_COUNT = 16, JOB_COUNT = 12, PERIOD_TICKS = 2000, IRQ_COUNT_MAX = 1000 };

struct job {
	uint64_t cost;
	struct job *next;
};

struct sample {
	uint64_t count;
	uint64_t ticks; /* of the last interrupt */
};

union slot {
	union slot *next_free;
	struct job job;
	struct sample sample;
};

static union slot slots[SLOT_COUNT];
static union slot *free_slots;
static struct job *jobs;
static struct sample *sample;

static void slot_put(union slot *slot)
{
	slot->next_free = free_slots;
	free_slots = slot;
}

static union slot *slot_get(void)
{
	union slot *slot = free_slots;
	CHECK(slot, "no slot left");
	free_slots = slot->next_free;
	return slot;
}

/* In the interrupt handler. */
static void sample_take(void)
{
	sample->count++;
	sample->ticks = SYSREG_READ(cntvct_el0);
}

static void sample_start(void)
{
	sample = &slot_get()->sample;
	sample->count = 0;
	timer_on_irq = sample_take;
	timer_storm_start(PERIOD_TICKS);
}

/* The bug: the handler is not told that its sample is gone. */
static void sample_stop(void)
{
	slot_put((union slot *)sample);
}

static void job_add(uint64_t cost)
{
	struct job *job = &slot_get()->job;
	job->cost = cost;
	job->next = jobs;
	jobs = job;
}

static bool job_is_valid(const struct job *job)
{
	return (const union slot *)job >= slots && (const union slot *)job < slots + SLOT_COUNT;
}

static void jobs_broken(const struct job *job)
{
	timer_storm_stop();
	print("corruption: list broken\n");
	print_value("corruption: job", (uint64_t)job);
	print_value("corruption: its next", (uint64_t)job->next);
}

/* False: the list is broken. */
static bool jobs_cost(uint64_t *cost)
{
	*cost = 0;
	for (const struct job *job = jobs; job; job = job->next) {
		*cost += job->cost;
		if (job->next && !job_is_valid(job->next)) {
			jobs_broken(job);
			return false;
		}
	}
	return true;
}

void guest_main(void)
{
	uint64_t cost;
	mmu_on();
	for (size_t i = 0; i < SLOT_COUNT; i++)
		slot_put(&slots[i]);
	sample_start();
	while (timer_irq_count < 3)
		;
	irq_mask(); /* the handler is to find a job there, not a free slot */
	sample_stop();
	for (uint64_t i = 1; i <= JOB_COUNT; i++)
		job_add(i);
	irq_unmask();
	while (jobs_cost(&cost))
		CHECK(timer_irq_count < IRQ_COUNT_MAX, "the list was not broken");
}
