/* Keyframes, stops, starts in the middle and diversions of guests with several vCPUs: each vCPU's registers are where
 * they belong, and what was looked at or tried out leaves nothing behind. */
#include "tests/unit/fake_smp.h"

TestSuite(turn_travel, .timeout = 600);

#define RUN(n)                                                                                                         \
	{                                                                                                              \
		HV_COMMAND_RUN, n, false, false, 0, NULL                                                               \
	}
#define DIVERT(n)                                                                                                      \
	{                                                                                                              \
		HV_COMMAND_RUN, n, true, false, 0, NULL                                                                \
	}
#define LOAD(from)                                                                                                     \
	{                                                                                                              \
		HV_COMMAND_LOAD, 0, false, false, from, NULL                                                           \
	}

/* Three that wait, spin, are woken and run on, with timers of both kinds and in each a register of its own. */
#define FAKE_OWN(value)                                                                                                \
	FAKE_SP(0x1000 + (value)), FAKE_MOV(25, value), FAKE_MOV(9, 0x8000), FAKE_MSR(FAKE_KEY(2, 0, 0, 2, 2), 9),     \
		FAKE_MOV(9, 0x100 * (value)), FAKE_MSR(FAKE_KEY(2, 0, 0, 1, 4), 9) /* MDSCR_EL1, DBGBVR1_EL1 */
static const struct fake_op first[] = {
	FAKE_GIC_SETUP,
	FAKE_GIC_SETUP_OF(1),
	FAKE_GIC_SETUP_OF(2),
	FAKE_OWN(5),
	FAKE_UNMASK,
	FAKE_CPU_ON(1),
	FAKE_CPU_ON(2),
	FAKE_VTIMER(1, 500),
	FAKE_WFI,
	FAKE_LOOP(3000),
	FAKE_SEND_OTHERS(1),
	FAKE_VTIMER(1, 1500),
	FAKE_UNTIL(0, 1, FAKE_WFE),
	FAKE_VTIMER(1, 500000),
	FAKE_WFI,
	FAKE_LOOP(3000),
	FAKE_OFF,
	FAKE_GOTO(-2), /* a diversion that came to its end may be told to go on */
};
static const struct fake_op second[] = {
	FAKE_GIC_ON,           FAKE_OWN(6), FAKE_UNMASK,     FAKE_VTIMER(1, 1000), FAKE_WFI,          FAKE_LOOP(2500),
	FAKE_VTIMER(1, 20000), FAKE_WFI,    FAKE_LOOP(1500), FAKE_SEND(2, 4),      FAKE_LOOP(400000), FAKE_MOV(5, 1),
	FAKE_PUT(5, 0),        FAKE_WFI,    FAKE_GOTO(-1),
};
static const struct fake_op third[] = {
	FAKE_GIC_ON, FAKE_OWN(7), FAKE_UNMASK, FAKE_WFI, FAKE_LOOP(1000), FAKE_GOTO(-2),
};
static const struct fake_config busy = {
	.vcpu_count = 3,
	.segments = {FAKE_IRQ_SEGMENT(fake_smp_handler), FAKE_SEGMENT_OF(0, first), FAKE_SEGMENT_OF(1, second),
		     FAKE_SEGMENT_OF(2, third)},
};

static void expect_own(const struct guest_state *guest)
{
	for (uint32_t i = 0; i < 3; i++) {
		const struct vcpu_state *vcpu = &guest->vcpu[i];
		if (vcpu->x[25] == 0 || vcpu->dbgbvr[1] == 0)
			continue; /* it has not come so far */
		cr_assert_eq(vcpu->x[25], 5 + i);
		cr_assert_eq(vcpu->sp_el1, 0x1005 + i);
		cr_assert_eq(vcpu->dbgbvr[1], 0x500 + 0x100 * i);
	}
}

static struct guest_state record(const struct fake_config *config)
{
	fake_expect_state(fake_record(config), HV_STATE_ENDED, "recording");
	cr_assert_eq(fake_mailbox()->end_reason, END_REASON_POWER_OFF);
	return fake_mailbox()->final_state;
}

Test(turn_travel, a_keyframe_is_what_a_replay_comes_to_and_a_replay_begins_with)
{
	struct guest_state plain = record(&busy);
	for (enum switch_reason why = SWITCH_REASON_WAITS; why <= SWITCH_REASON_SPINS; why++)
		cr_assert(why == SWITCH_REASON_OFF || why == SWITCH_REASON_WOKEN || fake_switches(why) > 0,
			  "no turn of reason %d", why);
	uint64_t end_n = plain.n;
	expect_own(&plain);
	for (uint64_t n = 40; n < end_n - 100; n += n < 40000 ? 797 : 9001) {
		const struct fake_act act = {FAKE_KEYFRAME, n, 0};
		struct fake_config config = busy;
		uint64_t next_event;
		config.acts = &act;
		config.act_count = 1;
		fake_round_trip(config, END_REASON_POWER_OFF);
		struct guest_state recorded = fake_mailbox()->final_state, keyframe = *fake_keyframe(&next_event);
		cr_assert_geq(keyframe.n, n);
		expect_own(&keyframe);
		config.until_n = keyframe.n;
		fake_expect_replay(&config, &keyframe, 0);
		cr_assert_eq(fake_mailbox()->event_tail, next_event);
		config.until_n = 0;
		config.from_keyframe = true;
		fake_expect_replay(&config, &recorded, END_REASON_POWER_OFF);
	}
}

static void serve(const struct fake_command *commands, size_t count)
{
	struct fake_config config = busy;
	config.commands = commands;
	config.command_count = count;
	enum fake_result result = fake_replay(&config);
	cr_assert_eq(result, FAKE_STOPPED, "result %d, at n %" PRIu64 ": %s", result, fake_mailbox()->now_n,
		     fake_mailbox()->text);
}

#define SERVE(commands) serve(commands, sizeof(commands) / sizeof((commands)[0]))

static void expect_guest(size_t command, const struct guest_state *guest, uint64_t n)
{
	const struct fake_stopped *stopped = fake_stopped(command);
	cr_assert_eq(stopped->state, HV_STATE_ENDED, "command %zu at %" PRIu64 ": state %u", command, n,
		     stopped->state);
	for (size_t i = 0; i < sizeof(*guest); i += 8)
		cr_assert_eq(memcmp((const char *)guest + i, (const char *)&stopped->guest + i, 8), 0,
			     "command %zu at %" PRIu64 ": the state differs at byte %zu", command, n, i);
}

Test(turn_travel, a_guest_can_be_looked_at_anywhere_and_gone_back_to)
{
	struct guest_state recorded = record(&busy);
	for (uint64_t n = 40; n < recorded.n - 300; n += n < 40000 ? 399 : 9001) {
		const struct fake_command commands[] = {RUN(n),       RUN(n + 200), LOAD(0),
							RUN(n + 200), LOAD(0),      RUN(UINT64_MAX)};
		SERVE(commands);
		cr_assert_eq(fake_stopped(0)->guest.n, n);
		expect_own(&fake_stopped(0)->guest);
		struct guest_state later = fake_stopped(1)->guest;
		expect_guest(3, &later, n);
		expect_guest(5, &recorded, n);
	}
}

/* Nothing of the guest's own, nor of the vCPUs' CPUs, is as the recording has it. */
static void spoil(struct guest_state *guest)
{
	for (uint32_t i = 0; i < guest->vcpu_count; i++) {
		guest->vcpu[i].x[20] = 0x5901;
		guest->vcpu[i].tpidr_el1 = 0x5901;
		guest->vcpu[i].dbgbvr[2] = 0x5900;
		guest->vcpu[i].cntv_ctl_el0 ^= 1;
	}
}

Test(turn_travel, a_diversion_leaves_nothing_behind)
{
	struct guest_state recorded = record(&busy);
	for (uint64_t n = 40; n < recorded.n - 300; n += n < 40000 ? 607 : 9001) {
		struct fake_command commands[] = {RUN(n),  LOAD(0),        DIVERT(n + 4000), DIVERT(n + 60000),
						  LOAD(0), RUN(UINT64_MAX)};
		commands[1].change = n % 2 ? spoil : NULL;
		SERVE(commands);
		cr_assert(fake_stopped(2)->guest.n >= n + 4000 || fake_stopped(2)->end_reason != 0);
		expect_guest(5, &recorded, n);
	}
}

/* A diversion without a change does what the recording did, as far as no time of its turns differs. */
Test(turn_travel, all_vcpus_run_in_a_diversion)
{
	record(&busy);
	uint64_t from_n = fake_switch(SWITCH_REASON_WAITS, 2)->n;
	const struct fake_command commands[] = {RUN(from_n), DIVERT(UINT64_MAX)};
	SERVE(commands);
	cr_assert_eq(fake_stopped(1)->end_reason, END_REASON_POWER_OFF);
	expect_own(&fake_stopped(1)->guest);
	for (uint32_t i = 0; i < 3; i++)
		cr_assert_gt(fake_stopped(1)->guest.vcpu[i].x[11], fake_stopped(0)->guest.vcpu[i].x[11]);
	size_t count, turns = 0;
	const struct event *events = fake_diverted(&count);
	for (size_t i = 0; i < count; i++)
		turns += events[i].kind == EVENT_SWITCH;
	cr_assert_geq(turns, 5);
}

static void all_wait(struct guest_state *guest)
{
	for (uint32_t i = 0; i < guest->vcpu_count; i++) {
		guest->vcpu[i].cntv_ctl_el0 = 0;
		guest->turn.waits[i] = i != guest->current;
	}
}

Test(turn_travel, a_diversion_hangs_only_if_all_wait)
{
	record(&busy);
	uint64_t from_n = fake_switch(SWITCH_REASON_WAITS, 1)->n - 2; /* the second WFI is next but one */
	struct fake_command commands[] = {RUN(from_n), LOAD(0), DIVERT(UINT64_MAX)};
	commands[1].change = all_wait;
	SERVE(commands);
	cr_assert_eq(fake_stopped(2)->end_reason, END_REASON_HANG, "reason %u", fake_stopped(2)->end_reason);
}
