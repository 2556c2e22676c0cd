/* WFE and YIELD in loops that wait for another vCPU: found where the guest stands at an exit, replaced by an
 * instruction that traps, and given away; and nothing of it to be seen by the guest or the host. */
#include "tests/unit/fake_smp.h"

TestSuite(spin, .timeout = 300);

#define SMP_2(first, second)                                                                                           \
	.vcpu_count = 2, .segments = {                                                                                 \
				 FAKE_IRQ_SEGMENT(fake_smp_handler),                                                   \
				 FAKE_SEGMENT_OF(0, first),                                                            \
				 FAKE_SEGMENT_OF(1, second),                                                           \
	}

#define PLAIN FAKE_MOV(7, 7)

/* It runs on, and never waits. */
static const struct fake_op busy[] = {FAKE_LOOP(1000), FAKE_GOTO(-1)};
/* It sets word 0 after a while. */
static const struct fake_op setter[] = {
	FAKE_LOOP(50000), FAKE_MOV(5, 1), FAKE_PUT(5, 0), FAKE_LOOP(10000), FAKE_WFI, FAKE_GOTO(-1),
};

static bool is_replaced(uint64_t ipa)
{
	for (uint32_t i = 0; i < GUEST_PATCH_COUNT; i++) {
		if (fake_mailbox()->final_state.patch.word_ipa[i] == ipa)
			return true;
	}
	return false;
}

static uint32_t replaced_count(void)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < GUEST_PATCH_COUNT; i++)
		count += fake_mailbox()->final_state.patch.word_ipa[i] != 0;
	return count;
}

static void expect_spin(const struct fake_op *ops, size_t count, uint64_t at, uint32_t word)
{
	struct fake_config config = {.vcpu_count = 2,
				     .segments = {FAKE_IRQ_SEGMENT(fake_smp_handler),
						  {FAKE_CODE_OF(0), ops, count},
						  FAKE_SEGMENT_OF(1, setter)}};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert(is_replaced(at));
	cr_assert_eq(replaced_count(), 1);
	cr_assert_eq(*fake_ram_word(at), word, "the host sees the guest's own");
	cr_assert_eq(fake_count(EVENT_SMCCC_CALL), 2, "hv's own calls are no events");
	const struct event *spins = fake_switch(SWITCH_REASON_SPINS, 0);
	cr_assert_eq(spins->pc, at + 4, "it goes on behind it");
	cr_assert_eq(spins->address, 1);
	cr_assert_lt(fake_mailbox()->final_state.n, 100000, "it did not spin for its slice");
}

Test(spin, wfe_and_yield_that_wait_for_another_give_the_turn_away)
{
	static const struct fake_op wfe[] = {FAKE_CPU_ON(1), FAKE_UNTIL(0, 1, FAKE_WFE), FAKE_OFF};
	static const struct fake_op yield[] = {FAKE_CPU_ON(1), FAKE_UNTIL(0, 1, FAKE_YIELD), FAKE_OFF};
	uint64_t at = FAKE_CODE_OF(0) + 4 * 8;
	expect_spin(wfe, sizeof(wfe) / sizeof(wfe[0]), at, FAKE_WFE_WORD);
	expect_spin(yield, sizeof(yield) / sizeof(yield[0]), at, FAKE_YIELD_WORD);
}

/* How many words are replaced right after an exit at `n`, which a keyframe shows. */
static uint32_t found_at(struct fake_config config, uint64_t n)
{
	const struct fake_act act = {FAKE_KEYFRAME, n, 0};
	uint64_t next_event;
	uint32_t count = 0;
	config.acts = &act;
	config.act_count = 1;
	fake_round_trip(config, END_REASON_POWER_OFF);
	const struct guest_state *keyframe = fake_keyframe(&next_event);
	cr_assert_geq(keyframe->n, n);
	for (uint32_t i = 0; i < GUEST_PATCH_COUNT; i++)
		count += keyframe->patch.word_ipa[i] != 0;
	return count;
}

#define FOUND FAKE_WFE, FAKE_LOOP(10000), FAKE_YIELD

Test(spin, without_one_that_can_run_nothing_is_looked_for)
{
	static const struct fake_op first[] = {FAKE_GIC_SETUP, FAKE_CPU_ON(1), FAKE_WFI, FOUND, FAKE_OFF};
	static const struct fake_op waits[] = {FAKE_SEND(1, 1), FAKE_WFI, FAKE_GOTO(-1)};
	static const struct fake_op alone[] = {FOUND, FAKE_OFF};
	struct fake_config config = {SMP_2(first, waits)};
	cr_assert_eq(found_at(config, 5000), 0);
	config.segments[2] = (struct fake_segment)FAKE_SEGMENT_OF(1, busy);
	config.segments[1] = (struct fake_segment){FAKE_CODE_OF(0), alone, sizeof(alone) / sizeof(alone[0])};
	cr_assert_eq(found_at(config, 5000), 0, "vCPU 1 is off");
	config.vcpu_count = 1;
	cr_assert_eq(found_at(config, 5000), 0);
	static const struct fake_op both[] = {FAKE_CPU_ON(1), FOUND, FAKE_OFF};
	config = (struct fake_config){SMP_2(both, busy)};
	cr_assert_eq(found_at(config, 5000), 2);
}

/* The guest is found in the loop in the middle. */
Test(spin, those_within_four_instructions_are_found)
{
	static const struct fake_op first[] = {
		FAKE_CPU_ON(1), FAKE_WFE, FAKE_WFE, PLAIN,      PLAIN,      PLAIN,    FAKE_LOOP(10000),
		PLAIN,          PLAIN,    PLAIN,    FAKE_YIELD, FAKE_YIELD, FAKE_OFF,
	};
	struct fake_config config = {SMP_2(first, busy)};
	fake_round_trip(config, END_REASON_POWER_OFF);
	uint64_t middle = FAKE_CODE_OF(0) + 4 * 10;
	cr_assert_not(is_replaced(middle - 4 * 5));
	cr_assert(is_replaced(middle - 4 * 4));
	cr_assert(is_replaced(middle + 4 * 4));
	cr_assert_not(is_replaced(middle + 4 * 5));
	cr_assert_eq(fake_switches(SWITCH_REASON_SPINS), 1, "only the one that was come to");
}

Test(spin, el0_s_are_left)
{
	static const struct fake_op first[] = {FAKE_CPU_ON(1), FAKE_LEVEL(0), FOUND, FAKE_LEVEL(5), FAKE_OFF};
	struct fake_config config = {SMP_2(first, busy)};
	cr_assert_eq(found_at(config, 5000), 0);
	cr_assert_eq(fake_switches(SWITCH_REASON_SPINS), 0);
}

/* The numbers are the guest's as well. */
Test(spin, the_guest_s_own_hvc_with_the_same_number_is_a_call)
{
	static const struct fake_op first[] = {
		FAKE_CPU_ON(1),
		FAKE_MOV(0, 0x12345),
		FAKE_WORD(FAKE_HVC_WORD(0x7efe), 0),
		FAKE_PUT(0, 1),
		FAKE_MOV(0, 0x84000000),
		FAKE_WORD(FAKE_HVC_WORD(0x7e1d), 0),
		FAKE_PUT(0, 2),
		FAKE_UNTIL(0, 1, FAKE_WFE), /* in a page with hv's */
		FAKE_MOV(0, 0x84000000),
		FAKE_WORD(FAKE_HVC_WORD(0x7efe), 0),
		FAKE_PUT(0, 3),
		FAKE_OFF,
	};
	struct fake_config config = {SMP_2(first, setter)};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(replaced_count(), 1);
	cr_assert_eq(fake_count(EVENT_SMCCC_CALL), 5);
	cr_assert_eq((int32_t)fake_word(1), -1, "NOT_SUPPORTED");
	cr_assert_eq(fake_word(2), 0x10001);
	cr_assert_eq(fake_word(3), 0x10001);
	cr_assert_geq(fake_switches(SWITCH_REASON_SPINS), 1);
}

#define SPUN   FAKE_CPU_ON(1), FAKE_UNTIL(0, 1, FAKE_WFE)
#define BESIDE (FAKE_CODE_OF(0) + 0x800)

Test(spin, who_reads_the_page_sees_the_guest_s_own)
{
	static const struct fake_op first[] = {SPUN, FAKE_PEEK(20, FAKE_CODE_OF(0) + 4 * 8), FAKE_OFF};
	struct fake_config config = {SMP_2(first, setter)};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_geq(fake_switches(SWITCH_REASON_SPINS), 1);
	cr_assert_eq(fake_x(20), FAKE_WFE_WORD);
	cr_assert_eq(replaced_count(), 0, "hv's is out");
}

Test(spin, who_writes_to_the_page_finds_it_its_own)
{
	static const struct fake_op first[] = {SPUN, FAKE_MOV(20, 0x1234), FAKE_POKE(20, BESIDE), FAKE_PEEK(21, BESIDE),
					       FAKE_OFF};
	struct fake_config config = {SMP_2(first, setter)};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_geq(fake_switches(SWITCH_REASON_SPINS), 1);
	cr_assert_eq(fake_x(21), 0x1234);
	cr_assert_eq(replaced_count(), 0, "hv's is out");
	cr_assert_eq(*fake_ram_word(FAKE_CODE_OF(0) + 4 * 8), FAKE_WFE_WORD);
}

/* Another vCPU reads the page that one spins in: hv's word goes, and comes again where it is found again. */
Test(spin, another_vcpu_may_read_the_page)
{
	static const struct fake_op reader[] = {
		FAKE_LOOP(20000),   FAKE_PEEK(20, FAKE_CODE_OF(0) + 4 * 8),
		FAKE_LOOP(3500000), FAKE_MOV(5, 1),
		FAKE_PUT(5, 0),     FAKE_WFI,
		FAKE_GOTO(-1),
	};
	static const struct fake_op first[] = {SPUN, FAKE_OFF};
	struct fake_config config = {SMP_2(first, reader)};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_x_of(1, 20), FAKE_WFE_WORD);
	cr_assert_geq(fake_switches(SWITCH_REASON_SPINS), 2);
	cr_assert(is_replaced(FAKE_CODE_OF(0) + 4 * 8));
}

/* ---- all spin ---- */

/* Until its own interrupt was here. */
#define TILL_INTERRUPTED FAKE_UNLESS(11, 1, 1), FAKE_GOTO(3), FAKE_WFE, FAKE_GOTO(-3)

Test(spin, where_all_spin_time_passes)
{
	static const struct fake_op first[] = {
		FAKE_GIC_SETUP, FAKE_GIC_SETUP_OF(1),       FAKE_UNMASK,
		FAKE_CPU_ON(1), FAKE_UNTIL(0, 1, FAKE_WFE), FAKE_CNTVCT(20),
		FAKE_OFF,
	};
	static const struct fake_op second[] = {
		FAKE_GIC_ON,    FAKE_VTIMER(1, 5000000), FAKE_UNMASK, TILL_INTERRUPTED,
		FAKE_MOV(5, 1), FAKE_PUT(5, 0),          FAKE_WFI,    FAKE_GOTO(-1),
	};
	struct fake_config config = {SMP_2(first, second)};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_geq(fake_x(20), 5000000, "80 ms");
	cr_assert_lt(fake_x(20), 5312500, "not 5 ms later");
	cr_assert_lt(fake_mailbox()->final_state.n, 3000000, "most of it was waited for, not spun away");
	cr_assert_geq(fake_count(EVENT_IDLE), 10);
}

/* No interrupt will come, and nobody is asleep: that is no hang that hv could know of. */
Test(spin, time_passes_for_ever_if_nothing_comes)
{
	static const struct fake_op first[] = {FAKE_CPU_ON(1), FAKE_UNTIL(0, 1, FAKE_WFE), FAKE_OFF};
	static const struct fake_op second[] = {FAKE_UNTIL(0, 1, FAKE_YIELD), FAKE_OFF};
	const struct fake_act act = {FAKE_STOP, 9000, 0};
	struct fake_config config = {SMP_2(first, second), .acts = &act, .act_count = 1};
	fake_round_trip(config, END_REASON_HOST);
	cr_assert_eq(replaced_count(), 2);
	cr_assert_geq(fake_count(EVENT_IDLE), 10);
}
