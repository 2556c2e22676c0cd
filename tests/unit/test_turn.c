/* vCPUs that take turns, on scripted guests: where a turn ends and who has the next one, PSCI, interrupts that one vCPU
 * sends to another; and replays that come to the same state. */
#include "tests/unit/fake_smp.h"

TestSuite(turn, .timeout = 300);

#define SLICE UINT64_C(1000000)
#define WAKE  UINT64_C(20000)

#define SMP(count, ...) .vcpu_count = (count), .segments = {FAKE_IRQ_SEGMENT(fake_smp_handler), __VA_ARGS__}

static uint32_t run_2(const struct fake_op *ops0, size_t count0, const struct fake_op *ops1, size_t count1)
{
	struct fake_config config = {SMP(2, {FAKE_CODE_OF(0), ops0, count0}, {FAKE_CODE_OF(1), ops1, count1})};
	fake_round_trip(config, END_REASON_POWER_OFF);
	return fake_mailbox()->final_state.current;
}
#define RUN_2(ops0, ops1) run_2(ops0, sizeof(ops0) / sizeof((ops0)[0]), ops1, sizeof(ops1) / sizeof((ops1)[0]))

/* ---- PSCI ---- */

Test(turn, cpu_on_succeeds_once_and_says_what_is_wrong_else)
{
	static const struct fake_op first[] = {
		FAKE_AFFINITY(1, 0), FAKE_PUT(0, 0), FAKE_CPU_ON(1),      FAKE_PUT(0, 1), FAKE_CPU_ON(1),
		FAKE_PUT(0, 2),      FAKE_CPU_ON(0), FAKE_PUT(0, 3),      FAKE_CPU_ON(2), FAKE_PUT(0, 4),
		FAKE_CPU_ON(0x100),  FAKE_PUT(0, 5), FAKE_AFFINITY(1, 0), FAKE_PUT(0, 6), FAKE_AFFINITY(2, 0),
		FAKE_PUT(0, 7),      FAKE_OFF,
	};
	static const struct fake_op second[] = {FAKE_LOOP(100), FAKE_GOTO(-1)};
	cr_assert_eq(RUN_2(first, second), 0);
	cr_assert_eq(fake_word(0), 1, "it is off");
	cr_assert_eq(fake_word(1), 0, "SUCCESS");
	cr_assert_eq((int32_t)fake_word(2), -4, "ALREADY_ON");
	cr_assert_eq((int32_t)fake_word(3), -4, "the caller is on");
	cr_assert_eq((int32_t)fake_word(4), -2, "INVALID_PARAMETERS");
	cr_assert_eq((int32_t)fake_word(5), -2, "no other cluster");
	cr_assert_eq(fake_word(6), 0, "it is on");
	cr_assert_eq((int32_t)fake_word(7), -2);
}

Test(turn, of_callers_that_race_one_succeeds)
{
	static const struct fake_op first[] = {
		FAKE_CPU_ON(1), FAKE_LOOP(1000), FAKE_CPU_ON(2), FAKE_PUT(0, 0), FAKE_UNTIL(3, 1, FAKE_WFI), FAKE_OFF,
	};
	static const struct fake_op second[] = {FAKE_CPU_ON(2), FAKE_PUT(0, 1), FAKE_WFI, FAKE_GOTO(-1)};
	static const struct fake_op third[] = {FAKE_PUT(0, 2),  FAKE_LOOP(3000000), FAKE_MOV(5, 1), FAKE_PUT(5, 3),
					       FAKE_SEND(3, 1), FAKE_WFI,           FAKE_GOTO(-1)};
	struct fake_config config = {
		SMP(3, FAKE_SEGMENT_OF(0, first), FAKE_SEGMENT_OF(1, second), FAKE_SEGMENT_OF(2, third))};
	const struct fake_act act = {FAKE_STOP, 9000000, 0};
	config.acts = &act;
	config.act_count = 1;
	fake_round_trip(config, END_REASON_HOST);
	cr_assert_eq(fake_word(0) + fake_word(1), (uint32_t)-4, "one is there first, whoever it is");
	cr_assert_eq(fake_word(2), 0x102);
}

/* The first life of vCPU 1 leaves something in every kind of register. */
Test(turn, a_vcpu_that_is_switched_on_again_is_as_after_a_reset)
{
	static const struct fake_op first[] = {
		FAKE_GIC_SETUP,
		FAKE_CPU_ON(1),
		FAKE_AFFINITY(1, 0),
		FAKE_UNLESS(0, 1, 1), /* until it is off */
		FAKE_GOTO(3),
		FAKE_LOOP(500000),
		FAKE_GOTO(-7),
		FAKE_CPU_ON_AT(1, FAKE_CODE_OF(1) + 0x400, 0x77),
		FAKE_PUT(0, 0),
		FAKE_UNTIL(1, 0x77, FAKE_LOOP(10000)),
		FAKE_OFF,
	};
	static const struct fake_op life[] = {
		FAKE_GIC_SETUP_OF(1),
		FAKE_MOV(5, 0x8000),
		FAKE_MSR(FAKE_KEY(2, 0, 0, 2, 2), 5), /* MDSCR_EL1 */
		FAKE_MSR(FAKE_KEY(2, 0, 0, 1, 5), 5), /* DBGBCR1_EL1 */
		FAKE_MOV(6, 100),
		FAKE_MSR(FAKE_KEY(3, 3, 14, 2, 2), 6), /* CNTP_CVAL_EL0 */
		FAKE_MSR(FAKE_KEY(3, 3, 14, 2, 1), 6),
		FAKE_VTIMER(1, 0x7fffffff),
		FAKE_SP(0x1234),
		FAKE_MOV(20, 0x99),
		FAKE_UNMASK,
		FAKE_LOOP(100),
		FAKE_CPU_OFF,
	};
	static const struct fake_op again[] = {
		FAKE_PUT(20, 2),
		FAKE_MRS(21, FAKE_KEY(2, 0, 0, 2, 2)),
		FAKE_MRS(22, FAKE_KEY(3, 3, 14, 2, 1)),
		FAKE_PUT(0, 1),
		FAKE_LOOP(1000),
		FAKE_GOTO(-1),
	};
	struct fake_config config = {SMP(2, FAKE_SEGMENT_OF(0, first), FAKE_SEGMENT_OF(1, life),
					 {FAKE_CODE_OF(1) + 0x400, again, sizeof(again) / sizeof(again[0])})};
	fake_round_trip(config, END_REASON_POWER_OFF);
	const struct vcpu_state *vcpu = &fake_mailbox()->final_state.vcpu[1];
	cr_assert_eq(fake_word(0), 0);
	cr_assert_eq(fake_word(2), 0);
	cr_assert_eq(vcpu->x[20], 0);
	cr_assert_eq(vcpu->x[21], 0, "MDSCR_EL1");
	cr_assert_eq(vcpu->x[22], 0, "CNTP_CTL_EL0");
	cr_assert_eq(vcpu->pstate, 0x3c5);
	cr_assert_eq(vcpu->sp_el1, 0);
	cr_assert_eq(vcpu->dbgbcr[1], 0);
	cr_assert_eq(vcpu->cntv_ctl_el0, 0);
	cr_assert_eq(vcpu->cntv_cval_el0, 0);
	cr_assert_eq(vcpu->oslsr_el1, 0xa);
	cr_assert_eq(vcpu->ich_vmcr & 2, 0, "ICC_IGRPEN1_EL1");
	cr_assert_eq(fake_switches(SWITCH_REASON_OFF), 1);
}

Test(turn, the_last_one_that_is_on_stays_so)
{
	static const struct fake_op first[] = {FAKE_CPU_OFF, FAKE_PUT(0, 0), FAKE_CPU_ON(1), FAKE_CPU_OFF};
	static const struct fake_op second[] = {
		FAKE_UNTIL(1, 0, FAKE_LOOP(10)),
		FAKE_AFFINITY(0, 0),
		FAKE_PUT(0, 1),
		FAKE_CPU_OFF,
		FAKE_PUT(0, 2),
		FAKE_OFF,
	};
	cr_assert_eq(RUN_2(first, second), 1);
	cr_assert_eq((int32_t)fake_word(0), -3, "DENIED");
	cr_assert_eq(fake_word(1), 1, "vCPU 0 is off");
	cr_assert_eq((int32_t)fake_word(2), -3);
	cr_assert_eq(fake_find(EVENT_END, 0)->vcpu, 1, "any may switch the system off");
	cr_assert_eq(fake_count(EVENT_SWITCH), 1);
	cr_assert_eq(fake_switch(SWITCH_REASON_OFF, 0)->address, 1);
	cr_assert_eq(fake_switch(SWITCH_REASON_OFF, 0)->vcpu, 0);
}

/* ---- waiting ---- */

/* Each sends the other an SGI and waits: turns end nowhere else. */
#define PING_PONG(rounds, me, other)                                                                                   \
	FAKE_SEND(1, 1 << (other)), FAKE_WFI, FAKE_ADDS(20, 1), FAKE_UNLESS(20, rounds, 1), FAKE_GOTO(2), FAKE_GOTO(-6)

static void ping_pong(const struct fake_op *ops0, size_t count0, const struct fake_op *ops1, size_t count1)
{
	struct fake_config config = {SMP(2, {FAKE_CODE_OF(0), ops0, count0}, {FAKE_CODE_OF(1), ops1, count1})};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_count(EVENT_IDLE), 0);
	cr_assert_eq(fake_count(EVENT_EXIT), 1, "where vCPU 1 lets its first one in; nobody else was taken out");
	cr_assert_eq(fake_x_of(0, 11), 20);
	cr_assert_eq(fake_x_of(0, 20), 20);
	cr_assert_eq(fake_switches(SWITCH_REASON_WAITS), fake_count(EVENT_SWITCH));
	for (size_t i = 0; i < fake_count(EVENT_SWITCH); i++) {
		cr_assert_eq(fake_find(EVENT_SWITCH, i)->vcpu, i % 2);
		cr_assert_eq(fake_find(EVENT_SWITCH, i)->address, 1 - i % 2);
	}
}

Test(turn, a_turn_ends_where_a_vcpu_waits)
{
	static const struct fake_op first[] = {FAKE_GIC_SETUP, FAKE_GIC_SETUP_OF(1), FAKE_UNMASK,
					       FAKE_CPU_ON(1), PING_PONG(20, 0, 1),  FAKE_OFF};
	static const struct fake_op second[] = {FAKE_GIC_ON, FAKE_WFI, FAKE_UNMASK, PING_PONG(100, 1, 0), FAKE_OFF};
	ping_pong(first, sizeof(first) / sizeof(first[0]), second, sizeof(second) / sizeof(second[0]));
}

#define SUSPENDED(rounds, me, other)                                                                                   \
	FAKE_SEND(1, 1 << (other)), FAKE_SUSPEND, FAKE_ADDS(20, 1), FAKE_UNLESS(20, rounds, 1), FAKE_GOTO(2),          \
		FAKE_GOTO(-7)

Test(turn, cpu_suspend_is_a_wait)
{
	static const struct fake_op first[] = {FAKE_GIC_SETUP, FAKE_GIC_SETUP_OF(1), FAKE_UNMASK,
					       FAKE_CPU_ON(1), SUSPENDED(20, 0, 1),  FAKE_OFF};
	static const struct fake_op second[] = {FAKE_GIC_ON, FAKE_SUSPEND, FAKE_UNMASK, SUSPENDED(100, 1, 0), FAKE_OFF};
	ping_pong(first, sizeof(first) / sizeof(first[0]), second, sizeof(second) / sizeof(second[0]));
}

Test(turn, who_is_woken_gets_the_cpu_a_while_after)
{
	static const struct fake_op first[] = {FAKE_GIC_SETUP, FAKE_UNMASK, FAKE_CPU_ON(1), FAKE_WFI, FAKE_OFF};
	static const struct fake_op second[] = {FAKE_LOOP(100), FAKE_SEND(1, 1), FAKE_LOOP(5000000), FAKE_GOTO(0)};
	cr_assert_eq(RUN_2(first, second), 0);
	uint64_t sent_n = fake_find(EVENT_SYSREG_WRITE, 0)->n;
	const struct event *woken = fake_switch(SWITCH_REASON_WOKEN, 0);
	cr_assert_eq(woken->n, sent_n + 1 + WAKE);
	cr_assert_eq(woken->vcpu, 1);
	cr_assert_eq(fake_x(11), 1, "the interrupt was taken");
	cr_assert_eq(fake_count(EVENT_SWITCH), 2);
}

Test(turn, who_is_woken_and_waited_for_is_not_kept_waiting)
{
	static const struct fake_op first[] = {FAKE_GIC_SETUP, FAKE_UNMASK, FAKE_CPU_ON(1), FAKE_WFI, FAKE_OFF};
	static const struct fake_op second[] = {FAKE_LOOP(100), FAKE_SEND(1, 1), FAKE_LOOP(50), FAKE_WFI,
						FAKE_GOTO(-1)};
	cr_assert_eq(RUN_2(first, second), 0);
	cr_assert_eq(fake_switch(SWITCH_REASON_WAITS, 1)->n, fake_find(EVENT_SYSREG_WRITE, 0)->n + 52);
	cr_assert_eq(fake_switches(SWITCH_REASON_WOKEN), 0);
}

/* ---- slices ---- */

Test(turn, those_that_never_wait_share_the_time)
{
	static const struct fake_op first[] = {
		FAKE_CPU_ON(1),           FAKE_CPU_ON(2), FAKE_LOOP(1000), FAKE_ADDS(20, 1),
		FAKE_UNLESS(20, 4000, 1), FAKE_GOTO(2),   FAKE_GOTO(-4),   FAKE_OFF,
	};
	static const struct fake_op other[] = {FAKE_LOOP(1000), FAKE_ADDS(20, 1), FAKE_GOTO(-2)};
	struct fake_config config = {
		SMP(3, FAKE_SEGMENT_OF(0, first), FAKE_SEGMENT_OF(1, other), FAKE_SEGMENT_OF(2, other))};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_geq(fake_switches(SWITCH_REASON_SLICE), 9);
	cr_assert_eq(fake_switches(SWITCH_REASON_SLICE), fake_count(EVENT_SWITCH));
	for (size_t i = 0; i < fake_count(EVENT_SWITCH); i++)
		cr_assert_eq(fake_find(EVENT_SWITCH, i)->n, (i + 1) * SLICE);
	for (uint32_t i = 1; i < 3; i++)
		cr_assert(fake_x_of(i, 20) > 3900 && fake_x_of(i, 20) < 4100, "vCPU %u had %" PRIu64, i,
			  fake_x_of(i, 20));
}

Test(turn, one_that_is_alone_is_never_taken_out_for_others)
{
	static const struct fake_op first[] = {FAKE_CPU_ON(1), FAKE_LOOP(3000000), FAKE_OFF};
	static const struct fake_op second[] = {FAKE_WFI, FAKE_GOTO(-1)};
	cr_assert_eq(RUN_2(first, second), 0);
	size_t last = fake_count(EVENT_SWITCH);
	cr_assert_eq(last, 2, "to the new one, and back");
	for (size_t i = 0; i < fake_count(EVENT_EXIT); i++)
		cr_assert_leq(fake_find(EVENT_EXIT, i)->n, fake_find(EVENT_SWITCH, last - 1)->n);
}
