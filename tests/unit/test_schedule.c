/* The scheduler by itself: vCPUs that run, wait, spin, are woken and switched off at random, without a guest. Nobody
 * who can run is left waiting for long, no alarm is in the past, and nothing of the guest is touched. */
#include "hv/core/hv.h"
#include "hv/core/schedule.h"
#include "hv/dev/vgic.h"
#include "hv/dev/vgic_regs.h"
#include "tests/unit/fake_machine.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

TestSuite(schedule, .timeout = 300);

#define SLICE UINT64_C(1000000)
#define WAKE  UINT64_C(20000)
#define NEVER UINT64_MAX

static struct hv_boot boot;
static uint64_t random_state;

static uint64_t random_below(uint64_t end)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 16) % end;
}

static void sgi_set(uint32_t vcpu, bool pending)
{
	struct virq *sgi = vgic_irq(&hv.guest.vgic, vcpu, 1);
	sgi->enabled = sgi->group = 1;
	sgi->pending = pending;
	vgic_irq_changed(&hv.guest.vgic, vcpu, 1);
}

static void setup(uint32_t count, uint64_t turn_seed)
{
	boot = *fake_boot();
	boot.turn_seed = turn_seed;
	hv.boot = &boot;
	memset(&hv.guest, 0, sizeof(hv.guest));
	hv.guest.vcpu_count = count;
	hv.vcpu = &hv.guest.vcpu[0];
	vgic_reset(&hv.guest);
	hv.guest.vgic.ctlr |= GICD_CTLR_ENABLE_GRP1;
	hv.guest.vgic.stage = VGIC_LOADED;
	for (uint32_t i = 0; i < count; i++) {
		hv.guest.vcpu[i].power = VCPU_ON;
		hv.guest.vcpu[i].ich_vmcr |= FIELD_PUT(ICH_VMCR_VPMR, 0xf8) | ICH_VMCR_VENG1;
	}
	schedule_forget();
}

/* As turn_give does it. */
static void switch_to(uint32_t to, enum switch_reason why)
{
	hv.guest.turn.waits[hv.guest.current] = why == SWITCH_REASON_WAITS;
	hv.guest.turn.waits[to] = 0;
	hv.guest.current = to;
	hv.vcpu = &hv.guest.vcpu[to];
	sgi_set(to, false);
}

/* Asks, and switches if there is an answer. Returns the reason, 0: none. */
static uint32_t ask(enum turn_cause cause)
{
	static struct guest_state before;
	uint32_t to = UINT32_MAX;
	enum switch_reason why = (enum switch_reason)0;
	before = hv.guest;
	bool turns = schedule_turn(cause, &to, &why);
	cr_assert_eq(memcmp(&before, &hv.guest, sizeof(before)), 0, "the scheduler only looks");
	if (!turns)
		return 0;
	cr_assert_lt(to, hv.guest.vcpu_count);
	cr_assert_neq(to, hv.guest.current);
	cr_assert(turn_can_run(to));
	switch_to(to, why);
	return why;
}

static uint64_t deadline(void)
{
	static struct guest_state before;
	before = hv.guest;
	uint64_t at = schedule_deadline().v;
	cr_assert_eq(memcmp(&before, &hv.guest, sizeof(before)), 0, "the scheduler only looks");
	cr_assert_gt(at, hv.guest.n, "an alarm in the past");
	return at;
}

static void sleeps(uint32_t vcpu)
{
	hv.guest.turn.waits[vcpu] = 1;
	sgi_set(vcpu, false);
}

/* ---- case by case ---- */

Test(schedule, one_that_is_alone_needs_no_alarm)
{
	setup(3, 0);
	hv.guest.vcpu[1].power = VCPU_OFF;
	sleeps(2);
	cr_assert_eq(deadline(), NEVER);
	hv.guest.n = 5 * SLICE;
	cr_assert_eq(ask(TURN_EXIT), 0);
	cr_assert_eq(ask(TURN_WAITS), 0);
	cr_assert_eq(deadline(), NEVER);
}

Test(schedule, a_slice_ends_at_its_place_and_the_next_begins_there)
{
	setup(2, 0);
	for (uint64_t turn = 1; turn < 20; turn++) {
		while (hv.guest.n < turn * SLICE) {
			cr_assert_eq(ask(TURN_EXIT), 0);
			hv.guest.n = deadline();
		}
		cr_assert_eq(hv.guest.n, turn * SLICE);
		cr_assert_eq(ask(TURN_EXIT), SWITCH_REASON_SLICE);
		cr_assert_eq(hv.guest.current, turn % 2);
	}
}

/* The guest is looked at after 2000 instructions, 4000 more, 8000 more … */
Test(schedule, looks_become_fewer)
{
	uint64_t step = 2000, looks = 0;
	setup(2, 0);
	for (hv.guest.n = deadline(); hv.guest.n < SLICE; hv.guest.n = deadline(), looks++) {
		uint64_t last_n = hv.guest.n;
		cr_assert_eq(ask(TURN_EXIT), 0);
		step *= 2;
		uint64_t next = deadline();
		cr_assert_eq(next, last_n + step < SLICE ? last_n + step : SLICE);
	}
	cr_assert_eq(looks, 8);
}

Test(schedule, a_trap_ends_no_turn)
{
	setup(2, 0);
	deadline();
	hv.guest.n = 2 * SLICE;
	cr_assert_eq(ask(TURN_TRAP), 0);
	cr_assert_eq(deadline(), 2 * SLICE + 1, "the slice is over");
	hv.guest.n++;
	cr_assert_eq(ask(TURN_EXIT), SWITCH_REASON_SLICE);
}

Test(schedule, who_is_woken_has_its_turn_a_while_after)
{
	setup(3, 0);
	sleeps(2);
	deadline();
	hv.guest.n = 1234;
	sgi_set(2, true);
	uint64_t at = hv.guest.n + WAKE;
	while (hv.guest.n < at) {
		cr_assert_eq(ask(TURN_EXIT), 0);
		hv.guest.n = deadline();
	}
	cr_assert_eq(hv.guest.n, at);
	cr_assert_eq(ask(TURN_EXIT), SWITCH_REASON_WOKEN);
	cr_assert_eq(hv.guest.current, 2, "vCPU 1 did not wait");
}

Test(schedule, who_is_woken_again_and_again_does_not_put_it_off)
{
	setup(3, 0);
	sleeps(2);
	deadline();
	for (uint64_t n = 0; n < WAKE; n += 100) {
		hv.guest.n = n;
		sgi_set(2, true);
		cr_assert_eq(ask(TURN_TRAP), 0);
		cr_assert_leq(deadline(), WAKE);
	}
}

Test(schedule, who_is_woken_no_more_has_no_turn_for_it)
{
	setup(2, 0);
	sleeps(1);
	sgi_set(1, true);
	cr_assert_leq(deadline(), WAKE);
	sgi_set(1, false);
	cr_assert_eq(deadline(), NEVER);
	hv.guest.n = WAKE;
	cr_assert_eq(ask(TURN_EXIT), 0);
}

/* vCPU 0 wakes 1 now. Returns how long it goes on till it is taken out. */
static uint64_t wake_delay(void)
{
	uint64_t from_n = hv.guest.n;
	sgi_set(1, true);
	for (hv.guest.n = deadline(); ask(TURN_EXIT) == 0; hv.guest.n = deadline())
		cr_assert_leq(hv.guest.n, from_n + SLICE);
	return hv.guest.n - from_n;
}

/* vCPU 1, which runs, goes to sleep, and 0 goes on. */
static void back_to_0(void)
{
	sgi_set(0, true);
	cr_assert_eq(ask(TURN_WAITS), SWITCH_REASON_WAITS);
	cr_assert_eq(hv.guest.current, 0);
}

Test(schedule, who_waits_before_it_is_taken_out_for_one_that_was_woken_is_trusted_longer)
{
	for (uint32_t waited = 0; waited < 8; waited++) {
		setup(2, 0);
		sleeps(1);
		for (uint32_t i = 0; i < waited; i++) {
			sgi_set(1, true);
			hv.guest.n += 10;
			deadline();
			hv.guest.n += 10;
			cr_assert_eq(ask(TURN_WAITS), SWITCH_REASON_WAITS);
			back_to_0();
		}
		cr_assert_eq(wake_delay(), WAKE << (waited < 4 ? waited : 4));
		back_to_0();
		cr_assert_eq(wake_delay(), WAKE, "it had to be taken out");
	}
}

/* It may hold the lock that the woken one wants first, however long it has run. */
Test(schedule, who_is_woken_by_one_that_was_alone_has_its_turn_a_while_after)
{
	setup(2, 0);
	sleeps(1);
	cr_assert_eq(deadline(), NEVER);
	hv.guest.n = 5 * SLICE;
	sgi_set(1, true);
	uint64_t at = hv.guest.n + WAKE;
	while (hv.guest.n < at) {
		cr_assert_eq(ask(TURN_EXIT), 0);
		hv.guest.n = deadline();
	}
	cr_assert_eq(hv.guest.n, at);
	cr_assert_eq(ask(TURN_EXIT), SWITCH_REASON_WOKEN);
}

Test(schedule, who_waits_or_is_off_gives_its_turn_to_who_has_waited_longest)
{
	setup(4, 0);
	for (uint64_t turn = 1; turn < 12; turn++) {
		hv.guest.n += 100;
		hv.guest.vcpu[3].power = VCPU_OFF;
		sgi_set(hv.guest.current, true); /* it can run again at once */
		cr_assert_eq(ask(TURN_WAITS), SWITCH_REASON_WAITS);
		cr_assert_eq(hv.guest.current, turn % 3);
	}
	hv.guest.vcpu[hv.guest.current].power = VCPU_OFF;
	cr_assert_eq(ask(TURN_WAITS), SWITCH_REASON_OFF);
}

/* ---- spinning ---- */

/* All spin, `rounds` turns of each; returns how long they waited in all. */
static uint64_t spin(uint32_t rounds, bool counts)
{
	uint64_t jumped = 0;
	for (uint32_t i = 0; i < rounds * hv.guest.vcpu_count; i++) {
		hv.guest.n += 5;
		hv_vcpu()->x[8] += counts;
		uint32_t why = ask(TURN_SPINS);
		uint64_t jump = schedule_spin_jump().v;
		cr_assert(why == 0 || why == SWITCH_REASON_SPINS);
		cr_assert(why == 0 || jump == 0, "who goes on need not wait");
		cr_assert_leq(jump, 100000);
		hv.guest.idle_ns += jump;
		jumped += jump;
		cr_assert_eq(ask(TURN_TRAP), 0);
		cr_assert_eq(schedule_spin_jump().v, 0, "a jump is for once");
	}
	return jumped;
}

Test(schedule, where_all_spin_and_nothing_changes_time_passes)
{
	for (uint32_t count = 2; count <= GUEST_VCPU_MAX; count++) {
		setup(count, 0);
		hv.guest.n = 5000;
		cr_assert_eq(spin(2, false), 0, "all had their go");
		uint64_t soon = spin(10, false), later = spin(100, false);
		cr_assert_gt(soon, 1000);
		cr_assert_gt(later, 10 * soon, "longer the longer it lasts");
	}
}

/* One that spins may have an interrupt to take, which ends it. */
Test(schedule, where_all_spin_each_has_a_go_before_time_passes_again)
{
	uint64_t jumps = 0, gone[GUEST_VCPU_MAX] = {0};
	setup(4, 0);
	for (uint32_t i = 0; i < 20000; i++) {
		hv.guest.n += 5;
		gone[hv.guest.current] = jumps;
		ask(TURN_SPINS);
		if (schedule_spin_jump().v == 0)
			continue;
		hv.guest.idle_ns += schedule_spin_jump().v;
		jumps++;
		for (uint32_t vcpu = 0; vcpu < 4; vcpu++)
			cr_assert_geq(gone[vcpu] + 1, jumps, "vCPU %u had none", vcpu);
	}
	cr_assert_gt(jumps, 100);
}

Test(schedule, where_one_counts_no_time_passes)
{
	for (uint32_t count = 2; count <= GUEST_VCPU_MAX; count++) {
		setup(count, 0);
		hv.guest.n = 5000;
		cr_assert_eq(spin(200, true), 0);
	}
}

Test(schedule, who_spins_gives_its_turn_to_one_that_does_not)
{
	setup(2, 0);
	hv.guest.n = 100;
	cr_assert_eq(ask(TURN_SPINS), SWITCH_REASON_SPINS);
	cr_assert_eq(hv.guest.current, 1);
	setup(2, 0);
	sleeps(1);
	hv.guest.n = 100;
	cr_assert_eq(ask(TURN_SPINS), 0);
	cr_assert_eq(hv.guest.current, 0);
}

/* ---- at random ---- */

struct waiting {
	uint64_t since_n[GUEST_VCPU_MAX]; /* that it can run, and does not */
	bool can_run[GUEST_VCPU_MAX];
};

static void nobody_starves(struct waiting *waiting, uint64_t bound)
{
	for (uint32_t i = 0; i < hv.guest.vcpu_count; i++) {
		bool can_run = i != hv.guest.current && turn_can_run(i);
		if (can_run && !waiting->can_run[i])
			waiting->since_n[i] = hv.guest.n;
		waiting->can_run[i] = can_run;
		cr_assert(!can_run || hv.guest.n - waiting->since_n[i] <= bound,
			  "vCPU %u of %u has waited since %" PRIu64 ", at %" PRIu64, i, hv.guest.vcpu_count,
			  waiting->since_n[i], hv.guest.n);
	}
}

/* Interrupts come, and vCPUs are switched on and off. */
static void others_change(void)
{
	uint32_t i = (uint32_t)random_below(hv.guest.vcpu_count);
	if (i == hv.guest.current)
		return;
	if (hv.guest.vcpu[i].power == VCPU_OFF) {
		hv.guest.vcpu[i].power = VCPU_ON;
		hv.guest.turn.waits[i] = 0;
	} else if (hv.guest.turn.waits[i]) {
		sgi_set(i, true);
	}
}

/* The running one has nothing to do: till somebody can run. */
static void idle(bool off)
{
	uint32_t me = hv.guest.current;
	hv.guest.vcpu[me].power = off ? VCPU_OFF : VCPU_ON;
	for (uint32_t tries = 0; ask(TURN_WAITS) == 0; tries++) {
		cr_assert_lt(tries, 1000);
		hv.guest.idle_ns += random_below(5000);
		others_change();
		if (!off && random_below(8) == 0)
			return; /* its own interrupt */
	}
	cr_assert_neq(hv.guest.current, me);
}

static void random_step(uint64_t stop_n)
{
	uint64_t left = stop_n - hv.guest.n;
	uint64_t dice = random_below(100);
	if (dice < 30) { /* a trap */
		hv.guest.n += 1 + random_below(left < 5000 ? left : 5000);
		cr_assert_eq(ask(TURN_TRAP), 0);
	} else if (dice < 55) { /* the alarm */
		hv.guest.n = stop_n;
		ask(TURN_EXIT);
	} else if (dice < 65) { /* another interrupt */
		hv.guest.n += 1 + random_below(left);
		ask(TURN_EXIT);
	} else if (dice < 80) {
		hv.guest.n += 1 + random_below(left < 20 ? left : 20);
		hv_vcpu()->x[0] += random_below(2);
		ask(TURN_SPINS);
		hv.guest.idle_ns += schedule_spin_jump().v;
		cr_assert_eq(ask(TURN_TRAP), 0);
	} else if (dice < 82 && hv.guest.vcpu_count > 2) {
		hv.guest.n++;
		idle(true);
	} else if (dice < 90) {
		hv.guest.n++;
		idle(false);
	} else {
		others_change();
	}
}

static void random_run(uint64_t seed, uint64_t turn_seed, uint64_t bound)
{
	struct waiting waiting = {.can_run = {false}};
	random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	setup(2 + (uint32_t)(seed % 7), turn_seed);
	uint64_t slices = 1 + seed % 3 * 2; /* how often they only run */
	for (uint32_t step = 0; step < 3000; step++) {
		uint64_t stop_n = deadline();
		if (stop_n == NEVER || stop_n > hv.guest.n + 50000)
			stop_n = stop_n != NEVER && random_below(4) < slices ? stop_n : hv.guest.n + 50000;
		random_step(stop_n);
		nobody_starves(&waiting, bound * hv.guest.vcpu_count);
	}
}

Test(schedule, nobody_starves_whatever_they_do)
{
	for (uint64_t seed = 1; seed <= 60; seed++)
		random_run(seed, 0, 2 * SLICE);
}

Test(schedule, drawn_turns_leave_nobody_out_for_long)
{
	for (uint64_t seed = 1; seed <= 60; seed++)
		random_run(seed, seed + 100, 10 * SLICE);
}

/* Those that never wait have equal shares, whoever is woken in between. */
Test(schedule, shares_are_equal)
{
	uint64_t had[4] = {0};
	setup(4, 0);
	sleeps(3);
	for (uint32_t step = 0; step < 4000; step++) {
		uint64_t from_n = hv.guest.n;
		uint32_t who = hv.guest.current;
		if (who == 3) {
			hv.guest.n += 50;
			cr_assert_eq(ask(TURN_WAITS), SWITCH_REASON_WAITS);
		} else {
			hv.guest.n = deadline();
			ask(TURN_EXIT);
		}
		had[who] += hv.guest.n - from_n;
		if (step % 64 == 0 && hv.guest.current != 3)
			sgi_set(3, true);
	}
	for (uint32_t i = 1; i < 3; i++)
		cr_assert(had[i] > had[0] / 10 * 9 && had[i] < had[0] / 9 * 10, "%" PRIu64 " and %" PRIu64, had[i],
			  had[0]);
}

Test(schedule, drawn_turns_are_short)
{
	uint32_t turns = 0;
	setup(4, 77);
	for (uint32_t step = 0; step < 200; step++) {
		hv.guest.n = deadline();
		turns += ask(TURN_EXIT) == SWITCH_REASON_CHOSEN;
	}
	cr_assert_gt(turns, 100);
	cr_assert_gt(hv.guest.n, 200);
	cr_assert_lt(hv.guest.n, 200 * 4096);
}
