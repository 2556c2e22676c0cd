/* Checkpoints on a toy guest, whose instruction N writes one byte that N alone decides: its RAM at any N is known.
 *
 * 1. The engine is the real one, on a machine that was never started; a child process stands in for hv, and copies
 * pages as hv/core/service.c does. Only this program runs the guest: it writes RAM and stage 2's dirty state.
 * 2. The start's RAM is in the trace, as a file. */
#include "hv/arch/pagetable.h"
#include "hv/host/machine.h"
#include "replay/run/engine_state.h"
#include "replay/travel/checkpoints.h"
#include "storage/trace.h"
#include "tests/unit/fail_alloc.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	RAM_PAGES = 1024,
	TABLES = RAM_PAGES / TABLE_ENTRIES,
	FIRST_N = 0,
	START_BYTES = 128 * PAGE_BYTES,
	TURNS = 1500,
	NEAR = 40
};
#define RAM_BYTES ((uint64_t)RAM_PAGES * PAGE_BYTES)

static struct machine *machine;
static struct engine engine;
static struct checkpoints checkpoints;
static struct error error;
static size_t base;
static uint64_t leaves[TABLES][TABLE_ENTRIES];
static uint64_t *leaf_tables[TABLES] = {leaves[0], leaves[1]};
static struct guest_state start_state;
static uint8_t expected[RAM_BYTES];

static void copy_lines(const struct hv_page *page)
{
	uint8_t *to = machine->guest_ram + (page->ipa - GUEST_RAM_IPA);
	for (unsigned line = 0; line < 64; line++) {
		if (page->lines >> line & 1)
			memcpy(&to[line * 64], &page->bytes[line * 64], 64);
	}
}

static _Noreturn void serve(int doorbell)
{
	struct hv_mailbox *mailbox = machine->mailbox;
	const struct hv_page *pages =
		(const struct hv_page *)(void *)(machine->ram + (machine->boot->staging_pa - HV_MACHINE_RAM_PA));
	char bell;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(doorbell, &bell, 1) == 1) {
		if (mailbox->command != HV_COMMAND_LOAD)
			continue;
		mailbox->command = HV_COMMAND_NONE;
		for (uint64_t i = 0; i < mailbox->page_count; i++)
			copy_lines(&pages[i]);
		__atomic_store_n(&mailbox->state, (uint32_t)HV_STATE_STOPPED, __ATOMIC_SEQ_CST);
		if (write(doorbell, &bell, 1) != 1)
			break;
	}
	_exit(0);
}

static void start_ram(uint8_t *ram)
{
	for (size_t i = 0; i < START_BYTES; i++)
		ram[i] = (uint8_t)(i * 7 + i / PAGE_BYTES);
}

static void events_none(void)
{
	char name[32];
	char path[] = "/tmp/hvrec-test-checkpoints-XXXXXX";
	int fd = mkstemp(path);
	cr_assert(fd >= 0);
	close(fd);
	unlink(path);
	struct trace_writer *writer = trace_create(path, &error);
	snprintf(name, sizeof(name), "ram/%llx", (unsigned long long)GUEST_RAM_IPA);
	cr_assert(writer && trace_put_file(writer, name, machine->guest_ram, START_BYTES, &error) &&
			  trace_finish(writer, &error),
		  "%s", error.text);
	trace_writer_free(writer);
	engine.trace = trace_open(path, &error);
	cr_assert(engine.trace, "%s", error.text);
	engine.events = events_open(engine.trace, &error);
	unlink(path);
}

static void instruction(uint8_t *ram, uint64_t n, bool real)
{
	uint64_t hash = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t page = hash >> 58 << 4, at = hash >> 20 & (PAGE_BYTES - 1);
	/* Every eighth clears what another wrote: pages become what they were. */
	ram[page * PAGE_BYTES + at % 512] = n % 8 == 7 ? 0 : (uint8_t)n;
	if (real)
		leaves[page / TABLE_ENTRIES][page % TABLE_ENTRIES] |= S2_AP_WRITE;
}

static uint64_t here(void)
{
	return engine_state(&engine)->n;
}

static void run_to(uint64_t n)
{
	for (; here() < n; machine->mailbox->final_state.n++, machine->mailbox->event_tail++)
		instruction(machine->guest_ram, here(), true);
}

static void expect_guest_at(uint64_t n)
{
	memset(expected, 0, sizeof(expected));
	start_ram(expected);
	for (uint64_t i = 0; i < n; i++)
		instruction(expected, i, false);
	cr_assert_eq(here(), n);
	cr_assert_eq(engine_next_event(&engine), n);
	for (uint64_t i = 0; i < RAM_PAGES; i++)
		cr_assert_eq(memcmp(engine_page(&engine, i), &expected[i * PAGE_BYTES], PAGE_BYTES), 0,
			     "page %llu at %llu", (unsigned long long)i, (unsigned long long)n);
}

static void restore(size_t target)
{
	cr_assert(checkpoints_restore(&checkpoints, &engine, base, target, &error), "%s", error.text);
	base = target;
}

static void take(uint64_t near_n)
{
	uint64_t n = here();
	size_t taken = checkpoints_take(&checkpoints, &engine, base, near_n, &error);
	cr_assert_neq(taken, SIZE_MAX);
	cr_assert_eq(checkpoints.at[taken].n, n);
	base = taken;
	restore(taken);
}

static void setup(void)
{
	int pair[2];
	machine = machine_create(RAM_BYTES, 1, &error);
	cr_assert(machine, "%s", error.text);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	machine->doorbell_fd = pair[0];
	machine->pid = fork();
	if (machine->pid == 0)
		serve(pair[1]);
	cr_assert(machine->pid > 0);
	close(pair[1]);
	engine = (struct engine){.machine = machine,
				 .dirty = {leaf_tables, RAM_PAGES},
				 .page_count = RAM_PAGES,
				 .start_state = &start_state};
	start_ram(machine->guest_ram);
	events_none();
	cr_assert(checkpoints_open(&checkpoints, &engine, 0, &error), "%s", error.text);
}

static void teardown(void)
{
	checkpoints_free(&checkpoints);
	machine_destroy(machine);
	events_close(engine.events);
	trace_close(engine.trace);
}

TestSuite(checkpoints, .init = setup, .fini = teardown);

Test(checkpoints, every_place_is_found_as_it_was)
{
	srandom(1);
	for (int turn = 0; turn < TURNS; turn++) {
		unsigned long choice = (unsigned long)random();
		switch (choice % 4) {
		case 0:
			run_to(here() + choice / 4 % NEAR);
			break;
		case 1:
			run_to(here() + 1 + choice / 4 % NEAR);
			if (base + 1 == checkpoints.count || here() < checkpoints.at[base + 1].n)
				take(here());
			break;
		case 2:
			restore(choice / 4 % checkpoints.count);
			expect_guest_at(checkpoints.at[base].n);
			break;
		default:
			restore(checkpoints.count - 1);
			break;
		}
		/* What runs over a checkpoint is beyond it: RAM is still that of `base` and what was written. */
	}
	cr_expect_gt(checkpoints.count, 100);
}

Test(checkpoints, one_between_two_others_takes_nothing_from_them)
{
	run_to(500);
	take(0);
	restore(0);
	run_to(300);
	take(0);
	cr_assert_eq(base, 1);
	restore(2);
	expect_guest_at(500);
	restore(1);
	expect_guest_at(300);
	restore(0);
	expect_guest_at(FIRST_N);
}

Test(checkpoints, dropping_one_leaves_the_others_as_they_were)
{
	for (uint64_t n = 100; n <= 500; n += 100) {
		run_to(n);
		take(0);
	}
	restore(3); /* the table is that of one that goes */
	restore(4);
	checkpoints_drop(&checkpoints, 3);
	checkpoints_drop(&checkpoints, 1);
	base = 2;
	const uint64_t left[] = {FIRST_N, 200, 400, 500};
	cr_assert_eq(checkpoints.count, 4);
	for (size_t i = 4; i-- > 0;) {
		restore(i);
		expect_guest_at(left[i]);
	}
}

Test(checkpoints, too_many_drop_the_least_useful_never_the_first)
{
	for (uint64_t n = FIRST_N + 1; n < FIRST_N + 2 * CHECKPOINTS_MAX; n++) {
		run_to(n);
		take(FIRST_N + CHECKPOINTS_MAX);
	}
	cr_assert_eq(checkpoints.count, CHECKPOINTS_MAX);
	cr_expect_eq(checkpoints.at[0].n, FIRST_N);
	for (size_t i = 0; i < checkpoints.count; i += 7) {
		restore(i);
		expect_guest_at(checkpoints.at[i].n);
	}
}

Test(checkpoints, too_many_pages_drop_some_and_lose_none)
{
	enum { HELD_MAX = 200, TAKEN = 100 };
	size_t held = 0;
	checkpoints.held_max = HELD_MAX;
	for (uint64_t i = 1; i <= TAKEN; i++) {
		run_to(FIRST_N + i * NEAR);
		take(FIRST_N + i * NEAR);
	}
	for (size_t i = 0; i < checkpoints.count; i++) {
		for (size_t j = 0; j < checkpoints.at[i].page_count; j++)
			held += checkpoints.at[i].pages[j].place.bytes != NULL;
	}
	cr_expect_leq(held, HELD_MAX);
	cr_expect_gt(checkpoints.count, 3);
	for (size_t i = checkpoints.count; i-- > 0;) {
		restore(i);
		expect_guest_at(checkpoints.at[i].n);
	}
}

Test(checkpoints, too_many_pages_drop_none_that_is_in_the_trace)
{
	enum { IN_TRACE = 1, TAKEN = 20 };
	for (uint64_t i = 1; i <= TAKEN; i++) {
		run_to(FIRST_N + i * NEAR);
		take(FIRST_N + i * NEAR);
	}
	checkpoints.at[IN_TRACE].held_count = 0;
	checkpoints.held_max = 1;
	run_to(FIRST_N + (TAKEN + 1) * NEAR);
	take(FIRST_N + (TAKEN + 1) * NEAR);
	cr_expect_lt(checkpoints.count, TAKEN);
	cr_expect_eq(checkpoints.at[IN_TRACE].n, FIRST_N + NEAR);
}

Test(checkpoints, only_lines_that_differ_are_copied)
{
	const struct hv_page *staged =
		(const struct hv_page *)(void *)(machine->ram + (machine->boot->staging_pa - HV_MACHINE_RAM_PA));
	engine_page(&engine, 700)[130] = 1;
	leaves[1][700 - TABLE_ENTRIES] |= S2_AP_WRITE;
	leaves[0][3] |= S2_AP_WRITE; /* written, with what was there */
	restore(0);
	cr_expect_eq(machine->mailbox->page_count, 1);
	cr_expect_eq(staged[0].ipa, GUEST_RAM_IPA + UINT64_C(700) * PAGE_BYTES);
	cr_expect_eq(staged[0].lines, UINT64_C(1) << 2);
	uint64_t written[RAM_PAGES / 64];
	engine_pages_written(&engine, written);
	for (size_t i = 0; i < RAM_PAGES / 64; i++)
		cr_expect_eq(written[i], 0, "what was written before is not forgotten");
	expect_guest_at(FIRST_N);
}

/* Takes one, goes to the start and back to it. Whatever fails, the guest is where it was or at a checkpoint. */
Test(checkpoints, without_memory_the_way_back_is_still_there)
{
	run_to(100);
	take(100);
	for (struct fail_alloc f = {0}; fail_alloc_next(&f);) {
		restore(0);
		restore(1);
		run_to(250);
		fail_alloc_arm(&f);
		size_t taken = checkpoints_take(&checkpoints, &engine, base, NEAR, &f.error);
		bool good = taken != SIZE_MAX && checkpoints_restore(&checkpoints, &engine, taken, taken, &f.error);
		fail_alloc_judge(&f, good);
		expect_guest_at(250);
		base = good ? taken : base;
		restore(0);
		expect_guest_at(0);
		restore(1);
		if (taken != SIZE_MAX)
			cr_assert(checkpoints_drop(&checkpoints, taken));
	}
}
