/* A race to hunt, for docs/GDB.md and tests/gdb: CPU 0 queues jobs and does them, behind a lock; CPU 1 cancels the
 * first one of each batch, and forgets the lock. When its turn ends between its load of the queue's head and its store,
 * and CPU 0 does the jobs meanwhile, the store brings a job back that is done and gone. CPU 0 finds it when it queues
 * the next ones, and faults. The payload's result is that it does: PASS when the fault has come. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/timer.h"

const char guest_name[] = "smp_race";

enum { JOB_COUNT = 32, BATCH_COUNT = 4, PERIOD_TICKS = 1500, ROUNDS_MAX = 3000, NOTE_TURNS = 300, REST_MAX = 16 };

/* What a job's pointer is when it is gone: no address. */
#define GONE ((struct work *)UINT64_C(0xdead000000000100))

struct work {
	uint64_t cost;
};

struct job {
	struct job *next;
	struct work *work;
};

static struct work works[JOB_COUNT];
static struct job pool[JOB_COUNT]; /* used in turn: long enough that a job gone is not used again at once */
static struct job *volatile jobs;
static struct smp_lock jobs_lock;
static volatile uint64_t cost_done, cost_waiting, cancelled, noted, ticks;
static uint64_t cancel_wanted;
static uint32_t next_job;

static struct job *job_make(uint64_t cost, struct job *next)
{
	uint32_t slot = next_job++ % JOB_COUNT;
	works[slot].cost = cost;
	pool[slot].next = next;
	pool[slot].work = &works[slot];
	return &pool[slot];
}

/* A batch, in front of the jobs that are left. */
static void jobs_add(void)
{
	smp_lock(&jobs_lock);
	cost_waiting = 0;
	for (const struct job *job = jobs; job; job = job->next)
		cost_waiting += job->work->cost;
	for (uint64_t cost = 1; cost <= BATCH_COUNT; cost++)
		jobs = job_make(cost, jobs);
	smp_unlock(&jobs_lock);
}

static void jobs_do(void)
{
	smp_lock(&jobs_lock);
	for (struct job *job; (job = jobs) != NULL;) {
		cost_done += job->work->cost;
		jobs = job->next;
		job->work = GONE;
	}
	smp_unlock(&jobs_lock);
}

static void note(const struct job *job)
{
	for (int i = 0; i < NOTE_TURNS; i++)
		noted += (uint64_t)job >> i % 32 & 1;
}

/* The bug: no lock. */
static void jobs_cancel_first(void)
{
	struct job *first = jobs;
	if (!first)
		return;
	struct job *next = first->next;
	note(first);
	jobs = next;
	cancelled++;
}

static void cancel_for_ever(uint64_t self)
{
	for (uint64_t rest = self;; rest = rest * 5 + 3) {
		smp_wait_for(&cancel_wanted, 1, SMP_SPIN_WFE);
		cancel_wanted = 0;
		for (uint64_t i = 0; i < rest % REST_MAX; i++)
			note(NULL);
		jobs_cancel_first();
	}
}

static bool fault_taken(struct exception_frame *frame, uint64_t esr, uint64_t far)
{
	print("smp_race: fault\n");
	print_value("smp_race: esr", esr);
	print_value("smp_race: address", far);
	print_value("smp_race: pc", frame->pc);
	print_value("smp_race: job", (uint64_t)jobs);
	guest_end(ESR_EC(esr) == EC_DATA_ABORT && far == (uint64_t)GONE ? NULL : "another fault");
}

static void tick(uint32_t intid)
{
	CHECK(intid == TIMER_INTID_VIRTUAL, "interrupt of something else than the timer");
	SYSREG_WRITE(cntv_ctl_el0, 0);
	isb(); /* the line is low before the end of interrupt */
	ticks++;
}

/* Sleeps until the next tick, so that CPU 1 is interrupted anywhere. */
static void sleep_one_period(void)
{
	uint64_t before = ticks;
	SYSREG_WRITE(cntv_tval_el0, PERIOD_TICKS + ticks * 7 % PERIOD_TICKS);
	SYSREG_WRITE(cntv_ctl_el0, TIMER_ENABLE);
	while (ticks == before) {
		wfi();
		irq_unmask();
		irq_mask();
	}
}

void guest_main(void)
{
	mmu_on();
	exception_on_sync = fault_taken;
	exception_on_irq = tick;
	gic_init();
	gic_enable(TIMER_INTID_VIRTUAL);
	CHECK(smp_count() > 1, "the machine has too few CPUs");
	CHECK(smp_on(1, cancel_for_ever, 1) == 0, "CPU_ON failed");
	for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
		jobs_add();
		smp_set(&cancel_wanted, 1);
		sleep_one_period();
		jobs_do();
		sleep_one_period();
	}
	guest_end("no fault came");
}
