/* Guests that take exceptions for ever: hv gets them back, says so, and a replay comes to the same registers. */
#include "tests/unit/fake_check.h"

TestSuite(standstill, .timeout = 120);

#define NOTHING UINT64_C(0x18000000)
#define SEGMENTS(ops, from_el1)                                                                                        \
	.segments = {FAKE_CODE_SEGMENT(ops), {FAKE_SYNC_VECTOR, from_el1, sizeof(from_el1) / sizeof((from_el1)[0])}}

/* The fault is at an entry, where an interrupt is put off. */
static const struct fake_op faulting[] = {FAKE_LOOP(100), FAKE_STORE(2, GUEST_UART_IPA, 1), FAKE_FAULT(0)};
static const struct fake_act stop_at_fault[] = {{FAKE_STOP, 101, 0}};

static void expect_end(uint64_t n_min, uint64_t n_max)
{
	const struct event *end = fake_find(EVENT_END, 0);
	cr_assert_eq(end->pc, FAKE_SYNC_VECTOR);
	cr_assert(end->n >= n_min && end->n <= n_max, "it ends at %" PRIu64, end->n);
	cr_assert_eq(fake_vcpu()->pc, FAKE_SYNC_VECTOR);
}

Test(standstill, faults_in_the_vector_end_a_recording_though_no_instruction_retires)
{
	static const struct fake_op vector[] = {FAKE_FAULT(0)};
	struct fake_config config = {SEGMENTS(faulting, vector), .acts = stop_at_fault, .act_count = 1};
	fake_round_trip(config, END_REASON_EXCEPTION_LOOP);
	expect_end(101, 101);
	cr_assert_eq(fake_vcpu()->elr_el1, FAKE_SYNC_VECTOR);
}

Test(standstill, undefined_instructions_in_the_vector_end_it_where_it_is_seen)
{
	static const struct fake_op vector[] = {FAKE_FAULT(1)};
	struct fake_config config = {SEGMENTS(faulting, vector), .acts = stop_at_fault, .act_count = 1};
	fake_round_trip(config, END_REASON_EXCEPTION_LOOP);
	expect_end(101, 130);
}

Test(standstill, a_branch_to_itself_in_the_vector_ends_it)
{
	static const struct fake_op vector[] = {FAKE_GOTO(0)};
	struct fake_config config = {SEGMENTS(faulting, vector), .acts = stop_at_fault, .act_count = 1};
	fake_round_trip(config, END_REASON_VECTOR_LOOP);
	expect_end(101, 130);
}

Test(standstill, a_branch_to_itself_elsewhere_or_unmasked_is_none)
{
	static const struct fake_op spinning[] = {FAKE_LOOP(100), FAKE_GOTO(0)};
	static const struct fake_op unmasked[] = {FAKE_UNMASK, FAKE_LOOP(99),
						  FAKE_GOTO((FAKE_SYNC_VECTOR - FAKE_CODE - 8) / 4)};
	static const struct fake_op vector[] = {FAKE_GOTO(0)};
	struct fake_config config = {SEGMENTS(spinning, vector), .acts = stop_at_fault, .act_count = 1};
	fake_round_trip(config, END_REASON_HOST);
	config.segments[0] = (struct fake_segment)FAKE_CODE_SEGMENT(unmasked);
	fake_round_trip(config, END_REASON_HOST);
}

/* Each place is a vector, and no two that follow on each other are the same. */
Test(standstill, vectors_that_branch_to_each_other_are_stopped)
{
	static const struct fake_op vector[] = {FAKE_GOTO(0x20)};
	static const struct fake_op irq_vector[] = {FAKE_GOTO((uint64_t)-0x20)};
	struct fake_config config = {SEGMENTS(faulting, vector), .acts = stop_at_fault, .act_count = 1};
	config.segments[2] = (struct fake_segment)FAKE_IRQ_SEGMENT(irq_vector);
	fake_round_trip(config, END_REASON_HOST);
	config.acts = NULL;
	config.act_count = 0;
	config.limit_n = 500;
	fake_round_trip(config, END_REASON_LIMIT);
	cr_assert_lt(fake_find(EVENT_END, 0)->n, 600);
}

Test(standstill, an_abort_that_changes_nothing_ends_it_at_once)
{
	static const struct fake_op ops[] = {FAKE_LOOP(50), FAKE_LOAD(3, NOTHING, 4)};
	static const struct fake_op vector[] = {FAKE_LOAD(3, NOTHING, 4)};
	struct fake_config config = {SEGMENTS(ops, vector)};
	fake_round_trip(config, END_REASON_EXCEPTION_LOOP);
	expect_end(50, 50);
	cr_assert_eq(fake_count(EVENT_EXTERNAL_ABORT), 3);
}

/* The machine of version 1 took them all: its traces have them. */
Test(standstill, the_first_machine_goes_on)
{
	static const struct fake_op ops[] = {FAKE_LOOP(50), FAKE_LOAD(3, NOTHING, 4)};
	static const struct fake_op vector[] = {FAKE_LOAD(3, NOTHING, 4)};
	struct fake_config config = {SEGMENTS(ops, vector)};
	config.machine_version = 1;
	cr_assert_eq(fake_record(&config), FAKE_STUCK);
	cr_assert_gt(fake_count(EVENT_EXTERNAL_ABORT), 1000);
}

/* An abort does not retire: a replay to its position stops before it, so behind it is no place for a keyframe. */
Test(standstill, a_keyframe_asked_for_before_an_abort_is_taken_later)
{
	static const struct fake_op ops[] = {FAKE_STORE(2, GUEST_UART_IPA, 1), FAKE_LOAD(3, NOTHING, 4), FAKE_LOOP(300),
					     FAKE_OFF};
	static const struct fake_op vector[] = {FAKE_SYNC, FAKE_ERET};
	const struct fake_act acts[] = {{FAKE_KEYFRAME, 1, 0}, {FAKE_RING, 100, 0}};
	struct fake_config config = {SEGMENTS(ops, vector), .acts = acts, .act_count = 2};
	uint64_t next_event;
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_find(EVENT_EXIT, 0)->n, fake_find(EVENT_EXTERNAL_ABORT, 0)->n);
	const struct guest_state *keyframe = fake_keyframe(&next_event);
	cr_assert_eq(keyframe->n, 100);
	config.until_n = keyframe->n;
	fake_expect_replay(&config, keyframe, 0);
	cr_assert_eq(fake_mailbox()->event_tail, next_event);
}
