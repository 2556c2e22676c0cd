/* The run loop and the gate on scripted guests: what a recording takes in comes back in a replay at the same place,
 * whatever the machine does differently, and the guest ends in the same state. */
#include "tests/unit/fake_check.h"

enum { FAR_TICKS = 1000000 }; /* so far ahead no guest may be with --pace real */

TestSuite(run, .timeout = 900);

#define KEY_CNTPCT    FAKE_KEY(3, 3, 14, 0, 1)
#define KEY_CNTP_TVAL FAKE_KEY(3, 3, 14, 2, 0)
#define KEY_CNTP_CTL  FAKE_KEY(3, 3, 14, 2, 1)
#define KEY_CNTP_CVAL FAKE_KEY(3, 3, 14, 2, 2)
#define KEY_MDSCR     FAKE_KEY(2, 0, 0, 2, 2)
#define UART_DR       GUEST_UART_IPA
#define UART_FR       (GUEST_UART_IPA + 0x18)
#define UART_IMSC     (GUEST_UART_IPA + 0x38)
#define UART_ICR      (GUEST_UART_IPA + 0x44)

/* It polls for input, so that it gets some. */
#define FAKE_LOOK  FAKE_LOAD(7, UART_FR, 4)
#define FAKE_LOOKS FAKE_LOOK, FAKE_LOOK, FAKE_LOOK, FAKE_LOOK

/* Folds the interrupt's number into x19, quiets what it came from, ends it. */
static const struct fake_op irq_handler[] = {
	FAKE_ACK(1),
	FAKE_FOLD(1),
	FAKE_CNTVCT(2),
	FAKE_FOLD(2),
	FAKE_UNLESS(1, GUEST_INTID_VTIMER, 1),
	FAKE_VTIMER(0, 0),
	FAKE_UNLESS(1, GUEST_INTID_PTIMER, 2),
	FAKE_MOV(3, 0),
	FAKE_MSR(KEY_CNTP_CTL, 3),
	FAKE_UNLESS(1, GUEST_INTID_UART, 4),
	FAKE_MOV(3, 0x7ff),
	FAKE_STORE(3, UART_ICR, 4),
	FAKE_LOAD(4, UART_DR, 4),
	FAKE_FOLD(4),
	FAKE_UNLESS(1, GUEST_INTID_RTC, 2),
	FAKE_MOV(3, 1),
	FAKE_STORE(3, GUEST_RTC_IPA + 0x1c, 4),
	FAKE_EOI(1),
	FAKE_MOV(10, 1), /* an interrupt was here */
	FAKE_ERET,
};

static const struct fake_op idle_guest[] = {
	FAKE_GIC_SETUP, FAKE_UNMASK,  FAKE_LOOP(1000), FAKE_VTIMER(1, 100), FAKE_WFI, /* till tick 100 */
	FAKE_CNTVCT(5), FAKE_FOLD(5), FAKE_OFF,
};

Test(run, a_guest_without_interrupts_records_and_replays)
{
	static const struct fake_op ops[] = {
		FAKE_LOOP(12345),
		FAKE_MOV(2, 'a'),
		FAKE_STORE(2, UART_DR, 1),
		FAKE_MRS(5, KEY_CNTPCT),
		FAKE_LOOP(777),
		FAKE_LOAD(6, UART_DR, 4),
		FAKE_OFF,
	};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops)}};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_count(EVENT_MMIO_WRITE), 1);
	struct event *write = fake_find(EVENT_MMIO_WRITE, 0);
	cr_assert_eq(write->n, 12346);
	cr_assert_eq(write->pc, FAKE_CODE + 8);
	cr_assert_eq(write->value, 'a');
	cr_assert_eq(write->size, 1);
	cr_assert_eq(fake_x(5), GUEST_COUNTER_START + (12346 + 1) / GUEST_NS_PER_TICK);
	cr_assert_eq(fake_find(EVENT_END, 0)->n, 12345 + 3 + 777 + 1 + 1);
	cr_assert_eq(fake_mailbox()->final_state.n, fake_find(EVENT_END, 0)->n);
}

Test(run, idle_jumps_to_the_virtual_timer)
{
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(idle_guest), FAKE_IRQ_SEGMENT(irq_handler)}};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_count(EVENT_IDLE), 1);
	cr_assert_eq(fake_find(EVENT_IDLE, 0)->address, 100 * GUEST_NS_PER_TICK);
	cr_assert_eq(fake_find(EVENT_IDLE, 0)->n + fake_find(EVENT_IDLE, 0)->value, 100 * GUEST_NS_PER_TICK);
	cr_assert_eq(fake_find(EVENT_INJECT, 0)->address, GUEST_INTID_VTIMER);
	cr_assert_eq(fake_x(10), 1);
}

/* ---- interrupts at their exact place ---- */

static const struct fake_op busy_guest[] = {
	FAKE_GIC_SETUP,
	FAKE_MOV(9, 0x10),
	FAKE_STORE(9, UART_IMSC, 4),
	FAKE_UNMASK,
	FAKE_LOOP(300),
	FAKE_STORE(2, UART_DR, 1),
	FAKE_LOOP(300),
	FAKE_MRS(5, KEY_CNTPCT),
	FAKE_LOOP(300),
	FAKE_MRS(6, KEY_MDSCR),
	FAKE_VTIMER(1, 100),
	FAKE_LOOP(100),
	FAKE_WFI,
	FAKE_LOOP(300),
	FAKE_LOAD(7, UART_DR + 0x18, 4),
	FAKE_FOLD(7),
	FAKE_OFF,
};
#define BUSY_GUEST .segments = {FAKE_CODE_SEGMENT(busy_guest), FAKE_IRQ_SEGMENT(irq_handler)}

Test(run, input_replays_at_whatever_instruction_it_came)
{
	for (uint64_t n = 0; n < 1240; n += n < 30 || n > 320 ? 37 : 1) {
		const struct fake_act acts[] = {
			{FAKE_INPUT, n, 'x'}, {FAKE_INPUT, n + 1, 'y'}, {FAKE_INPUT, n + 40, 'z'}};
		struct fake_config config = {BUSY_GUEST, .acts = acts, .act_count = 3, .over_count = 3,
					     .virtual_first = n % 2};
		fake_round_trip(config, END_REASON_POWER_OFF);
		cr_assert_eq(fake_count(EVENT_INPUT), 3, "typed at %" PRIu64, n);
	}
}

Test(run, an_interrupt_at_the_entry_is_put_off_by_one_instruction)
{
	/* The store to the UART at n 321 is an exit, and the next instruction its successor's entry. */
	struct fake_config config = {BUSY_GUEST};
	fake_round_trip(config, END_REASON_POWER_OFF);
	uint64_t entry_n = fake_find(EVENT_MMIO_WRITE, 6)->n + 1;
	const struct fake_act acts[] = {{FAKE_INPUT, entry_n, 'x'}};
	config.acts = acts;
	config.act_count = 1;
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_find(EVENT_INPUT, 0)->n, entry_n + 1);
}

/* At a breakpoint that EL1 has masked the guest comes out twice at one position. */
static const struct fake_op masked_break_guest[] = {
	FAKE_GIC_SETUP,
	FAKE_MOV(9, 0x10),
	FAKE_STORE(9, UART_IMSC, 4),
	FAKE_MOV(9, 1 << 15),
	FAKE_MSR(KEY_MDSCR, 9),
	FAKE_UNMASK,
	FAKE_LOOP(20),
	FAKE_BREAK,
	FAKE_BREAK,
	FAKE_LOOP(20),
	FAKE_STORE(2, UART_DR, 1),
	FAKE_BREAK,
	FAKE_LOOP(20),
	FAKE_OFF,
};
#define MASKED_BREAK_GUEST .segments = {FAKE_CODE_SEGMENT(masked_break_guest), FAKE_IRQ_SEGMENT(irq_handler)}

Test(run, an_interrupt_at_a_masked_breakpoint_replays)
{
	for (uint64_t n = 0; n < 80; n++) {
		const struct fake_act acts[] = {{FAKE_INPUT, n, 'x'}, {FAKE_INPUT, n + 1, 'y'}};
		struct fake_config config = {MASKED_BREAK_GUEST, .acts = acts, .act_count = 1 + n % 2};
		fake_round_trip(config, END_REASON_POWER_OFF);
	}
}

Test(run, a_limit_at_a_masked_breakpoint_ends_a_recording_exactly)
{
	for (uint64_t n = 1; n < 80; n++) {
		struct fake_config config = {MASKED_BREAK_GUEST, .limit_n = n};
		fake_round_trip(config, END_REASON_LIMIT);
		cr_assert_eq(fake_find(EVENT_END, 0)->n, n);
	}
}

/* A virtual interrupt that stands in a list register is taken at the same place, put off or not. */
Test(run, a_pending_virtual_interrupt_survives_an_interrupt_that_is_put_off)
{
	static const struct fake_op ops[] = {
		FAKE_GIC_SETUP, FAKE_MOV(9, 0x10), FAKE_STORE(9, UART_IMSC, 4),
		FAKE_UNMASK,    FAKE_LOOP(500),    FAKE_MOV(10, 2),
		FAKE_LOOP(500), FAKE_OFF,
	};
	for (int first = 0; first < 2; first++) {
		const struct fake_act acts[] = {
			{FAKE_INPUT, 200, 'x'}, {FAKE_RING_ENTRY, 200, 0}, {FAKE_INPUT, 200, 'y'}};
		for (size_t count = 1; count <= 3; count++) {
			struct fake_config config = {
				.segments = {FAKE_CODE_SEGMENT(ops), FAKE_IRQ_SEGMENT(irq_handler)},
				.acts = acts,
				.act_count = count,
				.virtual_first = first};
			fake_round_trip(config, END_REASON_POWER_OFF);
		}
	}
}

/* Wherever a keyframe is taken: the recording goes on as without it, and a replay has the very same state there. */
Test(run, a_keyframe_is_the_state_that_a_replay_comes_to)
{
	for (uint64_t n = 0; n < 1240; n += n < 30 || n > 320 ? 37 : 1) {
		const struct fake_act acts[] = {{FAKE_KEYFRAME, n, 0}, {FAKE_INPUT, n + 20, 'x'}};
		struct fake_config config = {BUSY_GUEST, .acts = acts, .act_count = 2, .virtual_first = n % 2};
		uint64_t next_event;
		fake_round_trip(config, END_REASON_POWER_OFF);
		const struct guest_state *keyframe = fake_keyframe(&next_event);
		cr_assert_geq(keyframe->n, n);
		cr_assert_eq(fake_find(EVENT_EXIT, 0)->n, keyframe->n);
		config.until_n = keyframe->n;
		fake_expect_replay(&config, keyframe, 0);
		cr_assert_eq(fake_mailbox()->event_tail, next_event);
	}
}

/* Woken from its sleep, the guest has passed an IDLE at this position, and a replay to the position stops before it. */
Test(run, a_keyframe_asked_for_while_the_guest_sleeps_is_taken_where_a_replay_stops)
{
	static const struct fake_op ops[] = {
		FAKE_GIC_SETUP,  FAKE_UNMASK, FAKE_VTIMER(1, FAR_TICKS), FAKE_WFI, FAKE_VTIMER(1, FAR_TICKS + 300),
		FAKE_LOOP(5000), FAKE_OFF,
	};
	const struct fake_act act = {FAKE_KEYFRAME, UINT64_MAX, 0};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops), FAKE_IRQ_SEGMENT(irq_handler)},
				     .acts = &act,
				     .act_count = 1,
				     .pace = HV_PACE_REAL};
	uint64_t next_event;
	fake_round_trip(config, END_REASON_POWER_OFF);
	const struct guest_state *keyframe = fake_keyframe(&next_event);
	cr_assert_gt(keyframe->n, fake_find(EVENT_IDLE, 0)->n);
	config.until_n = keyframe->n;
	fake_expect_replay(&config, keyframe, 0);
	cr_assert_eq(fake_mailbox()->event_tail, next_event);
}

Test(run, an_interrupt_that_was_gone_is_an_exit_all_the_same)
{
	const struct fake_act acts[] = {{FAKE_SPURIOUS, 150, 0}, {FAKE_RING, 210, 0}};
	struct fake_config config = {BUSY_GUEST, .acts = acts, .act_count = 2};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_find(EVENT_EXIT, 0)->address, EXIT_REASON_SPURIOUS);
	cr_assert_eq(fake_find(EVENT_EXIT, 0)->n, 150);
	cr_assert_eq(fake_find(EVENT_EXIT, 1)->address, EXIT_REASON_HOST);
	cr_assert_eq(fake_find(EVENT_EXIT, 1)->n, 210);
}

Test(run, a_wfi_may_trap_in_the_replay_only)
{
	const struct fake_act acts[] = {{FAKE_INPUT_AT_WFI, 1000, 'x'}};
	struct fake_config config = {BUSY_GUEST, .acts = acts, .act_count = 1};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_count(EVENT_IDLE), 0);
	cr_assert_eq(fake_find(EVENT_INPUT, 0)->value, 'x');
}

Test(run, input_beyond_the_fifo_waits_in_the_ring)
{
	struct fake_act acts[12];
	for (size_t i = 0; i < 12; i++)
		acts[i] = (struct fake_act){FAKE_INPUT, 400 + i / 4, (uint8_t)('a' + i)};
	struct fake_config config = {BUSY_GUEST, .acts = acts, .act_count = 12};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_count(EVENT_INPUT), 12);
	for (size_t i = 0; i < 12; i++)
		cr_assert_eq(fake_find(EVENT_INPUT, i)->value, 'a' + i);
}

Test(run, several_events_at_one_position_keep_their_order)
{
	static const struct fake_op ops[] = {
		FAKE_GIC_SETUP, FAKE_MOV(9, 0x70), FAKE_STORE(9, UART_DR + 0x2c, 4),
		FAKE_LOOKS,     FAKE_LOOP(500),    FAKE_OFF,
	};
	const struct fake_act acts[] = {
		{FAKE_INPUT, 200, 'x'}, {FAKE_INPUT, 200, 'y'}, {FAKE_INPUT, 200, 'z'}, {FAKE_STOP, 200, 0}};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops)}, .acts = acts, .act_count = 4};
	fake_round_trip(config, END_REASON_HOST);
	size_t count;
	const struct event *last = fake_trace(&count) + count - 5;
	for (size_t i = 0; i < 5; i++)
		cr_assert_eq(last[i].n, 200);
	cr_assert_eq(last[0].kind, EVENT_EXIT);
	cr_assert_eq(last[2].value, 'y');
	cr_assert_eq(last[4].kind, EVENT_END);
}

/* ---- counting ---- */

Test(run, a_read_that_the_hardware_over_counts_is_brought_to_the_recorded_place)
{
	static const struct fake_op ops[] = {
		FAKE_LOOP(100), FAKE_MRS(5, KEY_MDSCR),  FAKE_LOOP(20),  FAKE_MRS(6, FAKE_KEY(3, 0, 0, 8, 1)),
		FAKE_LOOP(20),  FAKE_MRS(7, KEY_CNTPCT), FAKE_CNTVCT(8), FAKE_OFF,
	};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops)}, .over_count = 5};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_find(EVENT_SYSREG_READ, 0)->n, 105);
	cr_assert_eq(fake_find(EVENT_SYSREG_DENIED, 0)->n, 131);
	cr_assert_eq(fake_x(7), GUEST_COUNTER_START + (fake_find(EVENT_END, 0)->n - 3) / GUEST_NS_PER_TICK);
}

Test(run, every_alarm_in_a_row_of_traps_is_exact)
{
	for (uint64_t at = 8; at < 40; at++) {
		const struct fake_act acts[] = {{FAKE_RING, at, 0}};
		static const struct fake_op ops[] = {
			FAKE_LOOP(8),
			FAKE_MRS(5, KEY_MDSCR),
			FAKE_MRS(5, KEY_CNTPCT),
			FAKE_STORE(2, UART_DR, 1),
			FAKE_MRS(5, KEY_CNTPCT),
			FAKE_LOOP(9),
			FAKE_HVC,
			FAKE_SMC,
			FAKE_MRS(5, KEY_MDSCR),
			FAKE_LOOP(9),
			FAKE_OFF,
		};
		struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops)}, .acts = acts, .act_count = 1};
		config.over_count = at % 3;
		fake_round_trip(config, END_REASON_POWER_OFF);
	}
}

/* ---- ends ---- */

Test(run, a_limit_ends_a_recording_exactly)
{
	for (uint64_t limit = 1; limit < 1200; limit += 61) {
		struct fake_config config = {BUSY_GUEST, .limit_n = limit, .over_count = 2};
		fake_round_trip(config, END_REASON_LIMIT);
		cr_assert_leq(limit, fake_mailbox()->now_n);
		cr_assert_leq(fake_mailbox()->now_n, limit + 1);
	}
}

Test(run, a_limit_beyond_every_alarm_is_no_panic)
{
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(idle_guest), FAKE_IRQ_SEGMENT(irq_handler)}};
	config.limit_n = UINT64_MAX - 16;
	fake_round_trip(config, END_REASON_POWER_OFF);
}

Test(run, until_stops_a_replay_exactly)
{
	struct fake_config config = {BUSY_GUEST, .over_count = 2};
	fake_round_trip(config, END_REASON_POWER_OFF);
	for (config.until_n = 25; config.until_n < 1200; config.until_n += 61) {
		fake_expect_state(fake_replay(&config), HV_STATE_ENDED, "until");
		cr_assert_eq(fake_mailbox()->end_reason, 0);
		cr_assert_leq(config.until_n, fake_mailbox()->now_n);
		cr_assert_leq(fake_mailbox()->now_n, config.until_n + 3);
	}
}

Test(run, a_wfi_that_nothing_can_end_is_a_hang)
{
	static const struct fake_op ops[] = {FAKE_GIC_SETUP, FAKE_UNMASK, FAKE_LOOP(10), FAKE_WFI, FAKE_OFF};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops)}};
	fake_round_trip(config, END_REASON_HANG);
	config.pace = HV_PACE_REAL;
	fake_round_trip(config, END_REASON_HANG);
}

Test(run, a_wfi_that_waits_for_input_gets_it)
{
	static const struct fake_op ops[] = {
		FAKE_GIC_SETUP, FAKE_MOV(9, 0x10), FAKE_STORE(9, UART_IMSC, 4),
		FAKE_UNMASK,    FAKE_WFI,          FAKE_LOOP(30),
		FAKE_WFI,       FAKE_LOOP(5),      FAKE_OFF,
	};
	const struct fake_act acts[] = {{FAKE_INPUT_IDLE, 0, 'x'}, {FAKE_INPUT_IDLE, 0, 'y'}};
	for (uint32_t pace = HV_PACE_SKIP; pace <= HV_PACE_REAL; pace++) {
		struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops), FAKE_IRQ_SEGMENT(irq_handler)},
					     .acts = acts,
					     .act_count = 2,
					     .pace = pace};
		fake_round_trip(config, END_REASON_POWER_OFF);
		cr_assert_eq(fake_count(EVENT_INPUT), 2);
	}
}

static void expect_sleeps(uint64_t ticks, bool sleeps)
{
	const struct fake_op ops[] = {FAKE_GIC_SETUP, FAKE_UNMASK, FAKE_VTIMER(1, ticks), FAKE_WFI, FAKE_OFF};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops), FAKE_IRQ_SEGMENT(irq_handler)},
				     .pace = HV_PACE_REAL};
	cr_assert_eq(fake_record(&config), FAKE_STOPPED);
	cr_assert_eq(fake_sleeps() != 0, sleeps, "%llu ticks", (unsigned long long)ticks);
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_x(10), 1);
	cr_assert_geq(fake_mailbox()->final_state.n + fake_mailbox()->final_state.idle_ns, ticks * GUEST_NS_PER_TICK);
}

/* A short sleep is not worth asking the host for. */
Test(run, pace_real_goes_with_the_clock_of_the_host)
{
	expect_sleeps(100, false);
	expect_sleeps(FAR_TICKS, true);
}

/* ---- rings ---- */

Test(run, a_full_ring_stalls_the_guest_and_loses_nothing)
{
	const struct fake_act acts[] = {{FAKE_INPUT, 500, 'x'}, {FAKE_INPUT, 700, 'y'}};
	struct fake_config config = {BUSY_GUEST, .acts = acts, .act_count = 2};
	fake_round_trip(config, END_REASON_POWER_OFF);
	size_t writes = fake_count(EVENT_MMIO_WRITE), reads = fake_count(EVENT_SYSREG_READ);
	config.ring_count = 2;
	config.events_turn = 1;
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_count(EVENT_MMIO_WRITE), writes);
	cr_assert_eq(fake_count(EVENT_SYSREG_READ), reads);
	cr_assert_eq(fake_count(EVENT_INPUT), 2);
	fake_expect_state(fake_record(&config), HV_STATE_ENDED, "a small ring");
	cr_assert_gt(fake_sleeps(), 10);
	cr_assert_eq(fake_ring_most(), 2);
}

Test(run, an_incomplete_trace_ends_where_it_ends)
{
	const struct fake_act acts[] = {{FAKE_INPUT, 500, 'x'}, {FAKE_INPUT, 700, 'y'}};
	struct fake_config config = {BUSY_GUEST, .acts = acts, .act_count = 2};
	size_t count;
	fake_round_trip(config, END_REASON_POWER_OFF);
	const struct event *events = fake_trace(&count);
	for (size_t left = count; left-- > 0;) {
		fake_trace_cut(left);
		fake_expect_state(fake_replay(&config), HV_STATE_ENDED, "cut trace");
		cr_assert_eq(fake_mailbox()->end_reason, 0);
		cr_assert_eq(fake_mailbox()->event_tail, left);
		if (left > 0)
			cr_assert_leq(events[left - 1].n, fake_mailbox()->now_n);
	}
}

Test(run, a_machine_without_an_exact_clock_is_refused)
{
	struct fake_config config = {BUSY_GUEST, .no_clock = true};
	fake_expect_state(fake_record(&config), HV_STATE_REFUSED, "no clock");
	cr_assert(strstr(fake_mailbox()->text, "exact instruction clock"));
}

Test(run, a_boot_block_of_another_version_is_a_panic_with_its_text)
{
	struct fake_config config = {BUSY_GUEST, .vcpu_count = GUEST_VCPU_MAX + 1};
	fake_expect_state(fake_record(&config), HV_STATE_PANIC, "too many vCPUs");
	cr_assert(strstr(fake_mailbox()->text, "vcpu_count"));
}

/* ---- bugs that these tests found ---- */

Test(run, a_physical_timer_that_is_due_at_a_trap_is_not_lost)
{
	for (uint64_t cval = 2; cval < 14; cval++) {
		for (uint64_t loop = 1; loop <= 16; loop++) {
			const struct fake_op ops[] = {
				FAKE_GIC_SETUP,
				FAKE_UNMASK,
				FAKE_MOV(3, cval),
				FAKE_MSR(KEY_CNTP_CVAL, 3),
				FAKE_MOV(3, 1),
				FAKE_MSR(KEY_CNTP_CTL, 3),
				FAKE_LOOP(loop),
				FAKE_MRS(5, KEY_CNTPCT),
				FAKE_MRS(5, KEY_CNTPCT),
				FAKE_STORE(2, UART_DR, 1),
				FAKE_SMC,
				FAKE_LOOP(16),
				FAKE_MRS(5, KEY_CNTPCT),
				FAKE_LOOP(1000),
				FAKE_OFF,
			};
			struct fake_config config = {
				.segments = {FAKE_CODE_SEGMENT(ops), FAKE_IRQ_SEGMENT(irq_handler)}};
			fake_round_trip(config, END_REASON_POWER_OFF);
			cr_assert_eq(fake_x(10), 1, "no interrupt: cval %" PRIu64 ", loop %" PRIu64, cval, loop);
		}
	}
}

Test(run, a_timer_that_is_due_at_a_wfi_wakes_it)
{
	for (uint64_t loop = 1; loop <= 70; loop++) {
		const struct fake_op physical[] = {
			FAKE_GIC_SETUP,
			FAKE_UNMASK,
			FAKE_MOV(3, 5),
			FAKE_MSR(KEY_CNTP_CVAL, 3),
			FAKE_MOV(3, 1),
			FAKE_MSR(KEY_CNTP_CTL, 3),
			FAKE_LOOP(loop),
			FAKE_MASK,
			FAKE_UNLESS(10, 1, 1),
			FAKE_GOTO(2),
			FAKE_WFI,
			FAKE_UNMASK,
			FAKE_LOOP(40),
			FAKE_OFF,
		};
		const struct fake_op virtual[] = {
			FAKE_GIC_SETUP, FAKE_UNMASK,           FAKE_VTIMER(1, 5), FAKE_LOOP(loop),
			FAKE_MASK,      FAKE_UNLESS(10, 1, 1), FAKE_GOTO(2),      FAKE_WFI,
			FAKE_UNMASK,    FAKE_LOOP(40),         FAKE_OFF,
		};
		struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(physical), FAKE_IRQ_SEGMENT(irq_handler)}};
		fake_round_trip(config, END_REASON_POWER_OFF);
		config.segments[0] = (struct fake_segment)FAKE_CODE_SEGMENT(virtual);
		fake_round_trip(config, END_REASON_POWER_OFF);
	}
}

Test(run, a_physical_timer_far_in_the_future_is_no_panic)
{
	for (uint64_t shift = 50; shift < 64; shift++) {
		const struct fake_op ops[] = {
			FAKE_GIC_SETUP,
			FAKE_MOV(3, UINT64_MAX >> (63 - shift)),
			FAKE_MSR(KEY_CNTP_CVAL, 3),
			FAKE_MOV(3, 1),
			FAKE_MSR(KEY_CNTP_CTL, 3),
			FAKE_LOOP(100),
			FAKE_OFF,
		};
		struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops)}};
		fake_round_trip(config, END_REASON_POWER_OFF);
	}
}

/* Nothing will ever read the byte that fills the FIFO, so the one behind it wakes nobody. */
Test(run, input_that_finds_no_room_does_not_keep_a_hang_from_ending)
{
	static const struct fake_op ops[] = {
		FAKE_GIC_SETUP, FAKE_LOOKS, FAKE_LOOP(100), FAKE_WFI, FAKE_OFF,
	};
	const struct fake_act acts[] = {{FAKE_INPUT, 50, 'x'}, {FAKE_INPUT, 60, 'y'}};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops)}, .acts = acts, .act_count = 2};
	fake_round_trip(config, END_REASON_HANG);
	cr_assert_eq(fake_count(EVENT_INPUT), 1);
}

/* A guest that sleeps does not come to ask. */
Test(run, input_that_nobody_asks_for_does_not_keep_a_hang_from_ending)
{
	static const struct fake_op ops[] = {FAKE_GIC_SETUP, FAKE_LOOP(100), FAKE_WFI, FAKE_OFF};
	const struct fake_act acts[] = {{FAKE_INPUT, 50, 'x'}};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops)}, .acts = acts, .act_count = 1};
	fake_round_trip(config, END_REASON_HANG);
	cr_assert_eq(fake_count(EVENT_INPUT), 0);
}

Test(run, input_from_the_start_waits_until_the_receive_interrupt_is_unmasked)
{
	const struct fake_act acts[] = {{FAKE_INPUT, 0, 'x'}};
	struct fake_config config = {BUSY_GUEST, .acts = acts, .act_count = 1};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_count(EVENT_INPUT), 1);
	const struct event *unmasked = fake_find(EVENT_MMIO_WRITE, 0);
	for (size_t i = 1; unmasked->address != UART_IMSC; i++)
		unmasked = fake_find(EVENT_MMIO_WRITE, i);
	cr_assert_eq(fake_find(EVENT_INPUT, 0)->n, unmasked->n + 1);
}

/* hv stands still where the console shows it, so that the host's stop comes right there. */
Test(run, a_recording_ends_where_the_console_shows_what_the_host_waits_for)
{
	static const struct fake_op ops[] = {
		FAKE_MOV(2, 'a'),
		FAKE_STORE(2, UART_DR, 1),
		FAKE_LOOP(100),
		FAKE_STORE(2, UART_DR, 1),
		FAKE_MOV(2, 'b'),
		FAKE_LOOP(100),
		FAKE_STORE(2, UART_DR, 1),
		FAKE_LOOP(100),
		FAKE_STORE(2, UART_DR, 1),
		FAKE_OFF,
	};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops)}, .until = {'a' << 8 | 'b', 0xffff}};
	fake_round_trip(config, END_REASON_HOST);
	cr_assert_eq(fake_count(EVENT_MMIO_WRITE), 3);
	cr_assert_eq(fake_find(EVENT_END, 0)->n, fake_find(EVENT_MMIO_WRITE, 2)->n + 1);
	config.until.bytes = 'b' << 8 | 'a';
	fake_round_trip(config, END_REASON_POWER_OFF);
}

Test(run, an_rtc_alarm_that_is_due_at_a_wfi_wakes_it)
{
	for (uint64_t before = 0; before < 24; before++) {
		const struct fake_op ops[] = {
			FAKE_GIC_SETUP,
			FAKE_UNMASK,
			FAKE_MOV(3, 1001),
			FAKE_STORE(3, GUEST_RTC_IPA + 4, 4),
			FAKE_MOV(3, 1),
			FAKE_STORE(3, GUEST_RTC_IPA + 0x10, 4),
			FAKE_LOOP(1000000000 - 30 + before),
			FAKE_MASK,
			FAKE_UNLESS(10, 1, 1),
			FAKE_GOTO(2),
			FAKE_WFI,
			FAKE_UNMASK,
			FAKE_LOOP(40),
			FAKE_OFF,
		};
		struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops), FAKE_IRQ_SEGMENT(irq_handler)}};
		config.rtc_base_s = 1000;
		fake_round_trip(config, END_REASON_POWER_OFF);
		cr_assert_eq(fake_x(10), 1, "no interrupt: %" PRIu64, before);
	}
}

Test(run, idle_jumps_to_the_rtc_alarm_and_to_the_physical_timer)
{
	static const struct fake_op ops[] = {
		FAKE_GIC_SETUP,    FAKE_UNMASK,
		FAKE_MOV(3, 1002), FAKE_STORE(3, GUEST_RTC_IPA + 4, 4),
		FAKE_MOV(3, 1),    FAKE_STORE(3, GUEST_RTC_IPA + 0x10, 4),
		FAKE_MOV(3, 1000), FAKE_MSR(KEY_CNTP_TVAL, 3),
		FAKE_MOV(3, 1),    FAKE_MSR(KEY_CNTP_CTL, 3),
		FAKE_WFI,          FAKE_MRS(5, KEY_CNTPCT),
		FAKE_WFI,          FAKE_LOAD(6, GUEST_RTC_IPA, 4),
		FAKE_OFF,
	};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops), FAKE_IRQ_SEGMENT(irq_handler)}};
	config.rtc_base_s = 1000;
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_count(EVENT_IDLE), 2);
	cr_assert_eq(fake_find(EVENT_INJECT, 0)->address, GUEST_INTID_PTIMER);
	cr_assert_eq(fake_find(EVENT_INJECT, 1)->address, GUEST_INTID_RTC);
	cr_assert_geq(fake_x(5), GUEST_COUNTER_START + 1000);
	cr_assert_leq(fake_x(5), GUEST_COUNTER_START + 1010);
	cr_assert_eq(fake_x(6), 1002);
	cr_assert_eq(fake_find(EVENT_IDLE, 1)->address, UINT64_C(2000000000));
}
