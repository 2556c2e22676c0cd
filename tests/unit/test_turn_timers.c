/* Timers, idle time and devices of guests with several vCPUs: what comes for a vCPU whose turn it is not. */
#include "tests/unit/fake_smp.h"

TestSuite(turn_timers, .timeout = 300);

#define WAKE      UINT64_C(20000)
#define NS(ticks) (UINT64_C(16) * (ticks))

#define KEY_CNTP_CTL  FAKE_KEY(3, 3, 14, 2, 1)
#define KEY_CNTP_CVAL FAKE_KEY(3, 3, 14, 2, 2)
/* CNTP_CVAL_EL0 counts from what the guest's counters begin with. */
#define FAKE_PTIMER(cval)                                                                                              \
	FAKE_MOV(9, GUEST_COUNTER_START + (cval)), FAKE_MSR(KEY_CNTP_CVAL, 9), FAKE_MOV(9, 1), FAKE_MSR(KEY_CNTP_CTL, 9)

#define SMP_2(first, second)                                                                                           \
	.vcpu_count = 2, .segments = {                                                                                 \
				 FAKE_IRQ_SEGMENT(fake_smp_handler),                                                   \
				 FAKE_SEGMENT_OF(0, first),                                                            \
				 FAKE_SEGMENT_OF(1, second),                                                           \
	}

/* Sets up vCPU 1, starts it, and lets it run until it waits. */
#define FAKE_START FAKE_GIC_SETUP, FAKE_GIC_SETUP_OF(1), FAKE_UNMASK, FAKE_CPU_ON(1)

static const struct fake_op busy[] = {FAKE_LOOP(1000), FAKE_GOTO(-1)};

/* ---- deadlines ---- */

/* vCPU 0 waits for tick 3000, and 1 is busy. */
static void expect_wake_at(const struct fake_op *ops, size_t count, uint64_t n)
{
	struct fake_config config = {.vcpu_count = 2,
				     .segments = {FAKE_IRQ_SEGMENT(fake_smp_handler),
						  {FAKE_CODE_OF(0), ops, count},
						  FAKE_SEGMENT_OF(1, busy)}};
	fake_round_trip(config, END_REASON_POWER_OFF);
	const struct event *woken = fake_switch(SWITCH_REASON_WOKEN, 0);
	cr_assert_eq(fake_count(EVENT_IDLE), 0);
	cr_assert_eq(woken->n, n + WAKE);
	cr_assert_eq(woken->address, 0);
	cr_assert_eq(fake_count(EVENT_SWITCH), 2);
	cr_assert_eq(fake_x(11), 1);
	size_t at = 0;
	while (fake_find(EVENT_EXIT, at)->n < n)
		at++;
	cr_assert_eq(fake_find(EVENT_EXIT, at)->n, n, "it is looked at when it is due");
	cr_assert_eq(fake_find(EVENT_EXIT, at)->address, EXIT_REASON_ALARM);
	cr_assert_eq(fake_find(EVENT_EXIT, at)->vcpu, 1);
}

Test(turn_timers, the_virtual_timer_of_one_that_waits_wakes_it)
{
	static const struct fake_op first[] = {FAKE_START, FAKE_VTIMER(1, 3000), FAKE_WFI, FAKE_OFF};
	expect_wake_at(first, sizeof(first) / sizeof(first[0]), NS(3000));
}

Test(turn_timers, the_physical_timer_of_one_that_waits_wakes_it)
{
	static const struct fake_op first[] = {FAKE_START, FAKE_PTIMER(3000), FAKE_WFI, FAKE_OFF};
	expect_wake_at(first, sizeof(first) / sizeof(first[0]), NS(3000));
}

/* It is not enabled in the redistributor; then the other one enables it. */
Test(turn_timers, a_timer_that_is_not_enabled_wakes_nobody_before_it_is)
{
	static const struct fake_op first[] = {
		FAKE_START,
		FAKE_MOV(9, 1 << GUEST_INTID_VTIMER),
		FAKE_STORE(9, FAKE_REDIST(0, 0x180), 4),
		FAKE_VTIMER(1, 100),
		FAKE_WFI,
		FAKE_OFF,
	};
	static const struct fake_op second[] = {
		FAKE_LOOP(200000),
		FAKE_MOV(9, 1 << GUEST_INTID_VTIMER),
		FAKE_STORE(9, FAKE_REDIST(0, 0x100), 4),
		FAKE_LOOP(5000),
		FAKE_GOTO(-1),
	};
	struct fake_config config = {SMP_2(first, second)};
	fake_round_trip(config, END_REASON_POWER_OFF);
	const struct event *enabled = fake_find(EVENT_MMIO_WRITE, fake_count(EVENT_MMIO_WRITE) - 1);
	const struct event *woken = fake_switch(SWITCH_REASON_WOKEN, 0);
	cr_assert_eq(enabled->vcpu, 1);
	cr_assert(woken->n >= enabled->n + WAKE && woken->n <= enabled->n + WAKE + 3, "%" PRIu64 " and %" PRIu64,
		  enabled->n, woken->n);
	cr_assert_eq(fake_x(11), 1);
}

/* vCPU 0 runs on when its slice is over; its timer is due while vCPU 1 has its own. */
Test(turn_timers, a_timer_that_came_while_another_ran_is_there_at_the_turn)
{
	static const struct fake_op first[] = {FAKE_START, FAKE_VTIMER(1, 80000), FAKE_LOOP(1990000), FAKE_OFF};
	struct fake_config config = {SMP_2(first, busy)};
	fake_round_trip(config, END_REASON_POWER_OFF);
	const struct event *back = fake_switch(SWITCH_REASON_SLICE, 1);
	cr_assert_eq(back->address, 0);
	cr_assert_eq(fake_find(EVENT_INJECT, 0)->n, back->n);
	cr_assert_eq(fake_find(EVENT_INJECT, 0)->vcpu, 0);
	cr_assert_eq(fake_find(EVENT_INJECT, 0)->address, GUEST_INTID_VTIMER);
	cr_assert_eq(fake_x(11), 1);
	size_t alarms = 0, timers = 0;
	for (size_t i = 0; i < fake_count(EVENT_EXIT); i++) {
		alarms += fake_find(EVENT_EXIT, i)->n == NS(80000);
		timers += fake_find(EVENT_EXIT, i)->address == EXIT_REASON_VTIMER;
	}
	cr_assert_eq(alarms, 1, "vCPU 0 could have waited for it");
	cr_assert_eq(timers, 0, "it fired in no CPU");
}

/* The handler is left in its middle, with the interrupt active. */
Test(turn_timers, an_interrupt_that_is_being_handled_stays_so_over_turns)
{
	static const struct fake_op handler[] = {
		FAKE_ACK(1),           FAKE_FOLD(1),      FAKE_ADDS(11, 1), FAKE_LOOP(1500000),
		FAKE_UNLESS(11, 2, 1), FAKE_VTIMER(0, 0), FAKE_EOI(1),      FAKE_ERET,
	};
	static const struct fake_op first[] = {FAKE_START,   FAKE_VTIMER(1, 1000), FAKE_UNLESS(11, 2, 1),
					       FAKE_GOTO(2), FAKE_GOTO(-2),        FAKE_OFF};
	struct fake_config config = {SMP_2(first, busy)};
	config.segments[0] = (struct fake_segment)FAKE_IRQ_SEGMENT(handler);
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_x(11), 2, "it came again, since the first time did not quiet it");
	cr_assert_geq(fake_count(EVENT_SWITCH), 4);
	size_t timers = 0;
	for (size_t i = 0; i < fake_count(EVENT_EXIT); i++)
		timers += fake_find(EVENT_EXIT, i)->address == EXIT_REASON_VTIMER;
	cr_assert_eq(timers, 2, "silent while it is handled");
}

/* Both have one; each fires in its own CPU, while that runs. */
Test(turn_timers, each_has_its_own)
{
	static const struct fake_op first[] = {FAKE_START,         FAKE_VTIMER(1, 2000),
					       FAKE_LOOP(1100000), FAKE_VTIMER(1, 90000),
					       FAKE_LOOP(1500000), FAKE_OFF};
	static const struct fake_op second[] = {FAKE_GIC_ON, FAKE_UNMASK, FAKE_VTIMER(1, 70000), FAKE_LOOP(1000),
						FAKE_GOTO(-1)};
	struct fake_config config = {SMP_2(first, second)};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_x_of(0, 11), 2);
	cr_assert_eq(fake_x_of(1, 11), 1);
}

/* ---- idle ---- */

Test(turn_timers, all_wait_for_the_first_timer_of_any)
{
	static const struct fake_op first[] = {
		FAKE_START, FAKE_GIC_SETUP_OF(2), FAKE_CPU_ON(2), FAKE_VTIMER(1, 30000), FAKE_WFI, FAKE_OFF,
	};
	static const struct fake_op second[] = {FAKE_GIC_ON, FAKE_UNMASK, FAKE_VTIMER(1, 10000), FAKE_WFI, FAKE_WFI};
	static const struct fake_op third[] = {FAKE_GIC_ON, FAKE_UNMASK, FAKE_PTIMER(20000), FAKE_WFI, FAKE_WFI};
	struct fake_config config = {.vcpu_count = 3,
				     .segments = {FAKE_IRQ_SEGMENT(fake_smp_handler), FAKE_SEGMENT_OF(0, first),
						  FAKE_SEGMENT_OF(1, second), FAKE_SEGMENT_OF(2, third)}};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_count(EVENT_IDLE), 3);
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(fake_find(EVENT_IDLE, i)->address, NS((i + 1) * 10000));
	for (uint32_t i = 0; i < 3; i++)
		cr_assert_eq(fake_x_of(i, 11), 1);
	cr_assert_eq(fake_count(EVENT_SWITCH), 5);
	cr_assert_eq(fake_find(EVENT_SWITCH, 2)->address, 1, "the first to be due is not the last that ran");
	cr_assert_eq(fake_find(EVENT_SWITCH, 3)->address, 2);
	cr_assert_eq(fake_find(EVENT_SWITCH, 4)->address, 0);
}

Test(turn_timers, one_that_is_off_is_not_waited_for)
{
	static const struct fake_op first[] = {FAKE_START, FAKE_VTIMER(1, 50000), FAKE_WFI, FAKE_OFF};
	static const struct fake_op second[] = {FAKE_GIC_ON, FAKE_VTIMER(1, 3000), FAKE_PTIMER(4000), FAKE_CPU_OFF};
	struct fake_config config = {SMP_2(first, second)};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_count(EVENT_IDLE), 1);
	cr_assert_eq(fake_find(EVENT_IDLE, 0)->address, NS(50000));
	cr_assert_eq(fake_find(EVENT_IDLE, 0)->vcpu, 1, "it went off last");
	cr_assert_eq(fake_switch(SWITCH_REASON_OFF, 0)->n, fake_find(EVENT_IDLE, 0)->n);
}

static const struct fake_op waits[] = {FAKE_GIC_ON, FAKE_WFI, FAKE_GOTO(-1)};

Test(turn_timers, it_hangs_only_if_all_wait)
{
	static const struct fake_op first[] = {FAKE_START, FAKE_WFI, FAKE_GOTO(-1)};
	static const struct fake_op powers_off[] = {FAKE_LOOP(5000000), FAKE_OFF};
	static const struct fake_op off[] = {FAKE_LOOP(100), FAKE_CPU_OFF};
	static const struct fake_op timer_off[] = {FAKE_VTIMER(1, 3000), FAKE_CPU_OFF};
	struct fake_config config = {SMP_2(first, powers_off)};
	fake_round_trip(config, END_REASON_POWER_OFF);
	config = (struct fake_config){SMP_2(first, waits)};
	fake_round_trip(config, END_REASON_HANG);
	cr_assert_eq(fake_find(EVENT_END, 0)->vcpu, 1);
	config = (struct fake_config){SMP_2(first, off)};
	fake_round_trip(config, END_REASON_HANG);
	config = (struct fake_config){SMP_2(first, timer_off)};
	fake_round_trip(config, END_REASON_HANG);
	config.pace = HV_PACE_REAL;
	fake_round_trip(config, END_REASON_HANG);
}

/* ---- devices ---- */

#define UART_IMSC (GUEST_UART_IPA + 0x38)
/* The UART's interrupt goes to `vcpu`, and it asks for input. */
#define FAKE_UART_TO(vcpu)                                                                                             \
	FAKE_MOV(9, vcpu), FAKE_STORE(9, FAKE_GICD(0x6000 + 8 * GUEST_INTID_UART), 8), FAKE_MOV(9, 0x10),              \
		FAKE_STORE(9, UART_IMSC, 4)

Test(turn_timers, input_wakes_the_vcpu_that_its_interrupt_goes_to)
{
	static const struct fake_op first[] = {FAKE_START, FAKE_UART_TO(1), FAKE_WFI, FAKE_OFF};
	static const struct fake_op second[] = {FAKE_GIC_ON, FAKE_UNMASK, FAKE_WFI, FAKE_SEND(1, 1), FAKE_WFI};
	const struct fake_act acts[] = {{FAKE_INPUT_IDLE, 0, 'x'}};
	struct fake_config config = {SMP_2(first, second), .acts = acts, .act_count = 1};
	for (uint32_t pace = HV_PACE_SKIP; pace <= HV_PACE_REAL; pace++) {
		config.pace = pace;
		fake_round_trip(config, END_REASON_POWER_OFF);
		cr_assert_eq(fake_count(EVENT_INPUT), 1);
		cr_assert_eq(fake_x_of(0, 11), 1, "the SGI alone");
		cr_assert_eq(fake_x_of(1, 11), 1);
		cr_assert_eq(fake_x_of(1, 4), 'x');
	}
}

/* At any instruction, whoever runs there. */
Test(turn_timers, input_comes_wherever_the_guest_is)
{
	static const struct fake_op first[] = {FAKE_START, FAKE_UART_TO(1),  FAKE_LOOP(3000),
					       FAKE_WFI,   FAKE_LOOP(70000), FAKE_OFF};
	static const struct fake_op second[] = {FAKE_GIC_ON, FAKE_UNMASK,     FAKE_LOOP(2000), FAKE_SEND(1, 1),
						FAKE_WFI,    FAKE_LOOP(2000), FAKE_WFI,        FAKE_GOTO(-1)};
	for (uint64_t n = 20; n<28000; n += n> 3040 && n < 3080 ? 1 : 371) {
		const struct fake_act acts[] = {{FAKE_INPUT, n, 'x'}, {FAKE_INPUT, n + 7, 'y'}};
		struct fake_config config = {SMP_2(first, second), .acts = acts, .act_count = 2,
					     .virtual_first = n % 2};
		fake_round_trip(config, END_REASON_POWER_OFF);
		cr_assert_eq(fake_count(EVENT_INPUT), 2, "typed at %" PRIu64, n);
	}
}

/* What the instruction limit is, the others' turns come before it. */
Test(turn_timers, a_limit_takes_nobody_s_turn)
{
	static const struct fake_op first[] = {FAKE_CPU_ON(1), FAKE_LOOP(1000), FAKE_GOTO(-1)};
	struct fake_config config = {SMP_2(first, busy), .limit_n = 5000000};
	fake_round_trip(config, END_REASON_LIMIT);
	cr_assert_eq(fake_switches(SWITCH_REASON_SLICE), 5); /* the last one where the limit is */
	cr_assert_eq(fake_find(EVENT_END, 0)->n, 5000000);
}

/* Each byte rings, and none wakes anybody: the interrupt is not enabled, or goes to one that is off. */
Test(turn_timers, input_that_wakes_nobody_comes_twice_in_one_sleep)
{
	static const struct fake_op alone[] = {FAKE_MOV(9, 0x10), FAKE_STORE(9, UART_IMSC, 4), FAKE_WFI, FAKE_OFF};
	static const struct fake_op first[] = {FAKE_START, FAKE_UART_TO(1), FAKE_WFI, FAKE_WFI, FAKE_OFF};
	static const struct fake_op off[] = {FAKE_GIC_ON, FAKE_UNMASK, FAKE_SEND(1, 1), FAKE_CPU_OFF};
	const struct fake_act acts[] = {{FAKE_INPUT_IDLE, 0, 'x'}, {FAKE_INPUT_IDLE, 0, 'y'}};
	struct fake_config one = {.segments = {FAKE_CODE_SEGMENT(alone)}, .acts = acts, .act_count = 2};
	fake_round_trip(one, END_REASON_HANG);
	struct fake_config two = {SMP_2(first, off), .acts = acts, .act_count = 2};
	fake_round_trip(two, END_REASON_HANG);
}
