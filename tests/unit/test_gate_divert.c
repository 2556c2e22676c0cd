/* Diverted runs: a guest that runs on by itself does what it would do when recorded without input, ends with a reason,
 * and leaves nothing behind: loaded back, the recording goes on to the same state, bit by bit. */
#include "tests/unit/fake_check.h"

TestSuite(gate_divert, .timeout = 900);

#define KEY_CNTP_CTL  FAKE_KEY(3, 3, 14, 2, 1)
#define KEY_CNTP_CVAL FAKE_KEY(3, 3, 14, 2, 2)
#define UART_IMSC     (GUEST_UART_IPA + 0x38)

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
	FAKE_UNLESS(1, GUEST_INTID_UART, 2),
	FAKE_LOAD(4, GUEST_UART_IPA, 4),
	FAKE_FOLD(4),
	FAKE_EOI(1),
	FAKE_ERET,
};

/* Both timers in a loop and at a WFI, and some output. */
static const struct fake_op busy_guest[] = {
	FAKE_GIC_SETUP,
	FAKE_UNMASK,
	FAKE_LOOP(200),
	FAKE_VTIMER(1, 40),
	FAKE_LOOP(600),
	FAKE_MOV(5, 'a'),
	FAKE_STORE(5, GUEST_UART_IPA, 1),
	FAKE_MOV(6, 80),
	FAKE_MSR(KEY_CNTP_CVAL, 6),
	FAKE_MOV(6, 1),
	FAKE_MSR(KEY_CNTP_CTL, 6),
	FAKE_LOOP(900),
	FAKE_VTIMER(1, 1000),
	FAKE_WFI,
	FAKE_MOV(5, 'b'),
	FAKE_STORE(5, GUEST_UART_IPA, 1),
	FAKE_CNTVCT(7),
	FAKE_FOLD(7),
	FAKE_OFF,
};
static const struct fake_config busy = {.segments = {FAKE_CODE_SEGMENT(busy_guest), FAKE_IRQ_SEGMENT(irq_handler)}};

static void serve(struct fake_config config, const struct fake_command *commands, size_t count)
{
	config.commands = commands;
	config.command_count = count;
	enum fake_result result = fake_replay(&config);
	cr_assert_eq(result, FAKE_STOPPED, "result %d, at n %" PRIu64 ": %s", result, fake_mailbox()->now_n,
		     fake_mailbox()->text);
}

#define SERVE(config, commands) serve(config, commands, sizeof(commands) / sizeof((commands)[0]))

static struct guest_state record(const struct fake_config *config)
{
	fake_expect_state(fake_record(config), HV_STATE_ENDED, "recording");
	return fake_mailbox()->final_state;
}

static void expect_end(size_t command, enum end_reason reason)
{
	const struct fake_stopped *stopped = fake_stopped(command);
	cr_assert_eq(stopped->state, HV_STATE_ENDED, "command %zu: state %u, %s", command, stopped->state,
		     fake_mailbox()->text);
	cr_assert_eq(stopped->end_reason, reason, "command %zu: reason %u", command, stopped->end_reason);
}

static size_t diverted_bytes(uint8_t byte)
{
	size_t count, found = 0;
	const struct event *events = fake_diverted(&count);
	for (size_t i = 0; i < count; i++)
		found += events[i].kind == EVENT_MMIO_WRITE && events[i].address == GUEST_UART_IPA &&
			 events[i].value == byte;
	return found;
}

Test(gate_divert, a_diverted_guest_takes_its_timers_as_when_recorded)
{
	struct guest_state recorded = record(&busy);
	const struct fake_command commands[] = {RUN(100), DIVERT(UINT64_MAX)};
	SERVE(busy, commands);
	expect_end(0, 0);
	cr_assert_eq(fake_stopped(0)->guest.n, 100);
	expect_end(1, END_REASON_POWER_OFF);
	cr_assert_eq(memcmp(fake_stopped(1)->guest.vcpu[0].x, recorded.vcpu[0].x, sizeof(recorded.vcpu[0].x)), 0);
	cr_assert_eq(fake_stopped(1)->guest.n, recorded.n);
	cr_assert_eq(fake_stopped(1)->guest.idle_ns, recorded.idle_ns);
}

/* In two runs, the second to behind the end if the guest gets there. */
static void expect_exact_return(uint64_t origin_n, uint64_t until_n, const struct guest_state *recorded)
{
	const struct fake_command commands[] = {RUN(origin_n), DIVERT(until_n), DIVERT(until_n + 100), LOAD(0),
						RUN(UINT64_MAX)};
	const struct fake_command straight[] = {RUN(origin_n), RUN(UINT64_MAX)};
	SERVE(busy, straight);
	uint64_t exits = fake_stopped(1)->exit_count - fake_stopped(0)->exit_count;
	SERVE(busy, commands);
	cr_assert_eq(fake_stopped(3)->state, HV_STATE_STOPPED);
	cr_assert_eq(fake_stopped(4)->exit_count - fake_stopped(3)->exit_count, exits);
	expect_end(4, END_REASON_POWER_OFF);
	for (size_t i = 0; i < sizeof(*recorded); i += 8)
		cr_assert_eq(memcmp((const char *)recorded + i, (const char *)&fake_stopped(4)->guest + i, 8), 0,
			     "diverted from %" PRIu64 " to %" PRIu64 ": the end differs at byte %zu", origin_n, until_n,
			     i);
}

Test(gate_divert, nothing_of_a_diversion_stays)
{
	struct guest_state recorded = record(&busy);
	for (uint64_t origin_n = 13; origin_n < recorded.n; origin_n += 97) {
		for (uint64_t until_n = origin_n + 1; until_n < recorded.n; until_n += 53)
			expect_exact_return(origin_n, until_n, &recorded);
	}
}

/* In one piece, and in steps, of which each folds the virtual GIC. */
Test(gate_divert, it_stops_exactly_where_it_is_told)
{
	record(&busy);
	for (uint64_t n = 600; n < 760; n++) {
		const struct fake_command commands[] = {RUN(300), DIVERT(n), DIVERT(n + 1), DIVERT(n + 2)};
		SERVE(busy, commands);
		for (size_t i = 1; i <= 3; i++) {
			expect_end(i, 0);
			cr_assert_eq(fake_stopped(i)->guest.n, n + i - 1, "told %" PRIu64 ", stopped at %" PRIu64,
				     n + i - 1, fake_stopped(i)->guest.n);
		}
	}
}

Test(gate_divert, events_go_to_the_host_however_small_the_ring)
{
	struct fake_config config = busy;
	record(&config);
	for (config.ring_count = 1; config.ring_count <= 4; config.ring_count *= 2) {
		const struct fake_command commands[] = {RUN(100), DIVERT(UINT64_MAX)};
		SERVE(config, commands);
		expect_end(1, END_REASON_POWER_OFF);
		cr_assert_eq(diverted_bytes('a'), 1);
		cr_assert_eq(diverted_bytes('b'), 1);
		cr_assert_eq(fake_stopped(1)->next_event, fake_stopped(0)->next_event);
	}
}

Test(gate_divert, the_host_interrupts_it)
{
	record(&busy);
	const struct fake_command commands[] = {
		RUN(300), {HV_COMMAND_RUN, UINT64_MAX, true, true, 0, NULL}, DIVERT(UINT64_MAX)};
	SERVE(busy, commands);
	expect_end(1, 0);
	cr_assert_eq(fake_stopped(1)->guest.n, 300);
	expect_end(2, END_REASON_POWER_OFF);
}

static const struct fake_op reader[] = {
	FAKE_GIC_SETUP, FAKE_MOV(9, 0x10), FAKE_STORE(9, UART_IMSC, 4), FAKE_UNMASK, FAKE_LOOP(100), FAKE_WFI, FAKE_OFF,
};

Test(gate_divert, it_gets_no_input_and_hangs_where_it_waits_for_some)
{
	static const struct fake_act acts[] = {{FAKE_INPUT_IDLE, 0, 'x'}};
	struct fake_config config = {
		.segments = {FAKE_CODE_SEGMENT(reader), FAKE_IRQ_SEGMENT(irq_handler)}, .acts = acts, .act_count = 1};
	struct guest_state recorded = record(&config);
	cr_assert_eq(fake_count(EVENT_INPUT), 1);
	const struct fake_command commands[] = {RUN(50), DIVERT(UINT64_MAX), DIVERT(UINT64_MAX), LOAD(0),
						RUN(UINT64_MAX)};
	SERVE(config, commands);
	expect_end(1, END_REASON_HANG);
	expect_end(2, END_REASON_POWER_OFF); /* behind the WFI */
	cr_assert_neq(fake_stopped(1)->guest.vcpu[0].x[4], 'x');
	expect_end(4, END_REASON_POWER_OFF);
	cr_assert_eq(memcmp(&recorded, &fake_stopped(4)->guest, sizeof(recorded)), 0);
}

Test(gate_divert, it_ends_at_what_hv_does_not_support)
{
	static const struct fake_op ops[] = {FAKE_LOOP(100), FAKE_TRAP(FAKE_ESR(0x07, 0), 0, 0), FAKE_OFF};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops)}};
	record(&config);
	const struct fake_command commands[] = {RUN(50), DIVERT(UINT64_MAX), LOAD(0), RUN(80)};
	SERVE(config, commands);
	expect_end(1, END_REASON_UNSUPPORTED);
	expect_end(3, 0);
	cr_assert_eq(fake_stopped(3)->guest.n, 80);
}

static void timer_off(struct guest_state *guest)
{
	guest->vcpu[0].cntp_ctl_el0 = 0;
}

Test(gate_divert, a_timer_that_the_debugger_stops_is_stopped)
{
	static const struct fake_op ops[] = {
		FAKE_GIC_SETUP,
		FAKE_MOV(6, 10),
		FAKE_MSR(KEY_CNTP_CVAL, 6),
		FAKE_MOV(6, 1),
		FAKE_MSR(KEY_CNTP_CTL, 6),
		FAKE_LOOP(500), /* its line is up, and interrupts are masked */
		FAKE_UNMASK,
		FAKE_LOOP(100),
		FAKE_OFF,
	};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops), FAKE_IRQ_SEGMENT(irq_handler)}};
	record(&config);
	const struct fake_command commands[] = {RUN(400),
						{HV_COMMAND_LOAD, 0, false, false, 0, timer_off},
						DIVERT(UINT64_MAX),
						LOAD(0),
						DIVERT(UINT64_MAX)};
	SERVE(config, commands);
	expect_end(2, END_REASON_POWER_OFF);
	cr_assert_eq(fake_stopped(2)->guest.vcpu[0].x[1], 0, "it got the interrupt");
	expect_end(4, END_REASON_POWER_OFF);
	cr_assert_eq(fake_stopped(4)->guest.vcpu[0].x[1], GUEST_INTID_PTIMER);
}

/* The physical interrupt was left active by the later guest, in its handler. */
Test(gate_divert, a_guest_that_was_put_back_gets_its_virtual_timer)
{
	static const struct fake_op ops[] = {
		FAKE_GIC_SETUP, FAKE_UNMASK, FAKE_VTIMER(1, 40), FAKE_LOOP(5000), FAKE_OFF,
	};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops), FAKE_IRQ_SEGMENT(irq_handler)}};
	struct guest_state recorded = record(&config);
	const struct fake_command commands[] = {RUN(100), RUN(fake_find(EVENT_INJECT, 0)->n + 3), LOAD(0),
						DIVERT(UINT64_MAX)};
	SERVE(config, commands);
	expect_end(3, END_REASON_POWER_OFF);
	cr_assert_eq(fake_stopped(3)->guest.vcpu[0].x[2], recorded.vcpu[0].x[2]);
}
