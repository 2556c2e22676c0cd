/* Traces whose turns were changed: a replay says so, and where, and never crashes, hangs, or enters a vCPU that cannot
 * run. */
#include "tests/unit/fake_smp.h"

TestSuite(switch_event, .timeout = 600);

/* Turns of every kind: 1 and 2 wait, are woken, have slices; 0 waits and spins; 2 is off in the end, 3 always. */
static const struct fake_op first[] = {
	FAKE_GIC_SETUP,  FAKE_GIC_SETUP_OF(1), FAKE_GIC_SETUP_OF(2), FAKE_UNMASK,
	FAKE_CPU_ON(1),  FAKE_CPU_ON(2),       FAKE_LOOP(3000),      FAKE_WFI,
	FAKE_SEND(1, 6), FAKE_LOOP(1100000),   FAKE_SEND_OTHERS(2),  FAKE_UNTIL(0, 1, FAKE_WFE),
	FAKE_OFF,
};
static const struct fake_op second[] = {
	FAKE_GIC_ON,        FAKE_UNMASK,    FAKE_WFI,       FAKE_LOOP(100),  FAKE_SEND(3, 1), FAKE_WFI,
	FAKE_LOOP(1500000), FAKE_MOV(5, 1), FAKE_PUT(5, 0), FAKE_SEND(4, 1), FAKE_WFI,        FAKE_GOTO(-1),
};
static const struct fake_op third[] = {
	FAKE_GIC_ON, FAKE_UNMASK, FAKE_SEND(3, 1), FAKE_WFI, FAKE_LOOP(1200000), FAKE_CPU_OFF,
};
static const struct fake_config config = {
	.vcpu_count = 4,
	.segments = {FAKE_IRQ_SEGMENT(fake_smp_handler), FAKE_SEGMENT_OF(0, first), FAKE_SEGMENT_OF(1, second),
		     FAKE_SEGMENT_OF(2, third)},
};

static struct event recorded[FAKE_EVENTS_MAX];
static size_t recorded_count;

static void record(void)
{
	fake_round_trip(config, END_REASON_POWER_OFF);
	const struct event *trace = fake_trace(&recorded_count);
	memcpy(recorded, trace, recorded_count * sizeof(*trace));
	for (enum switch_reason why = SWITCH_REASON_SLICE; why <= SWITCH_REASON_SPINS; why++)
		cr_assert_geq(fake_switches(why), 1, "the guest has no turn of reason %d", why);
}

/* Puts the recording's trace back. */
static struct event *restore(void)
{
	size_t count;
	struct event *trace = fake_trace(&count);
	memcpy(trace, recorded, recorded_count * sizeof(*trace));
	fake_trace_cut(recorded_count);
	return trace;
}

/* The replay ends by itself with a divergence, wherever it shows. */
static void expect_divergence(const char *what, size_t index)
{
	enum fake_result result = fake_replay(&config);
	cr_assert_eq(result, FAKE_STOPPED, "%s of event %zu: result %d, %s", what, index, result, fake_mailbox()->text);
	cr_assert_eq(fake_mailbox()->state, HV_STATE_DIVERGED, "%s of event %zu: state %u, %s", what, index,
		     fake_mailbox()->state, fake_mailbox()->text);
}

/* At the event itself: nothing of it has happened. */
static void expect_refusal(const char *what, size_t index)
{
	size_t count;
	const struct event *trace = fake_trace(&count);
	expect_divergence(what, index);
	cr_assert_eq(memcmp(&fake_mailbox()->expected, &trace[index], sizeof(*trace)), 0,
		     "%s of event %zu is reported at %s, n %" PRIu64, what, index, fake_kind(&fake_mailbox()->expected),
		     fake_mailbox()->expected.n);
	cr_assert_eq(fake_mailbox()->final_state.current, recorded[index].vcpu, "%s of event %zu", what, index);
}

#define FOR_EACH_SWITCH(i)                                                                                             \
	for (size_t i = 0; i < recorded_count; i++)                                                                    \
		if (recorded[i].kind == EVENT_SWITCH)

Test(switch_event, nobody_goes_on_who_cannot)
{
	static const uint64_t nobody[] = {4, 7, 8, 9, 255, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};
	record();
	FOR_EACH_SWITCH(i)
	{
		for (size_t j = 0; j < sizeof(nobody) / sizeof(nobody[0]); j++) {
			restore()[i].address = nobody[j];
			expect_refusal("nobody as the next", i);
		}
		restore()[i].address = recorded[i].vcpu;
		expect_refusal("the same as the next", i);
		restore()[i].address = 3;
		expect_refusal("one that is off as the next", i);
		restore()[i].address |= UINT64_C(1) << 32;
		expect_refusal("a large number as the next", i);
	}
}

Test(switch_event, another_than_the_recording_s_goes_astray)
{
	record();
	FOR_EACH_SWITCH(i)
	{
		for (uint64_t next = 0; next < 3; next++) {
			if (next == recorded[i].address)
				continue;
			restore()[i].address = next;
			expect_divergence("another as the next", i);
		}
	}
}

Test(switch_event, every_field_counts)
{
	record();
	FOR_EACH_SWITCH(i)
	{
		restore()[i].vcpu ^= 1;
		expect_refusal("another that leaves", i);
		restore()[i].vcpu = 200;
		expect_refusal("nobody that leaves", i);
		restore()[i].pc += 4;
		expect_refusal("the place", i);
		restore()[i].size = 4;
		expect_refusal("the size", i);
		restore()[i].value += UINT64_C(1) << 32;
		expect_refusal("a large reason", i);
	}
}

Test(switch_event, a_turn_at_another_position_is_found)
{
	record();
	FOR_EACH_SWITCH(i)
	{
		restore()[i].n += 1;
		expect_divergence("later", i);
		restore()[i].n -= 1;
		expect_divergence("earlier", i);
		restore()[i].n = 0;
		expect_divergence("at the start", i);
		restore()[i].n += 100000;
		expect_divergence("much later", i);
	}
}

static void insert(size_t at, struct event event)
{
	struct event *trace = restore();
	memmove(&trace[at + 1], &trace[at], (recorded_count - at) * sizeof(*trace));
	trace[at] = event;
	fake_trace_cut(recorded_count + 1);
}

Test(switch_event, a_turn_that_is_missing_or_doubled_is_found)
{
	record();
	FOR_EACH_SWITCH(i)
	{
		struct event *trace = restore();
		memmove(&trace[i], &trace[i + 1], (recorded_count - i - 1) * sizeof(*trace));
		fake_trace_cut(recorded_count - 1);
		expect_divergence("missing", i);
		insert(i, recorded[i]);
		expect_divergence("doubled", i);
	}
}

/* Before every event there is one turn more: to nobody, and to each of the others. */
Test(switch_event, a_turn_that_nobody_recorded_is_found)
{
	record();
	for (size_t i = 0; i < recorded_count; i++) {
		for (uint64_t next = 0; next < 5; next++) {
			struct event event = recorded[i];
			event.kind = EVENT_SWITCH;
			event.size = 0;
			event.address = next;
			event.value = SWITCH_REASON_SLICE;
			insert(i, event);
			expect_divergence("one more", i);
		}
	}
}

Test(switch_event, another_kind_of_event_in_its_place_is_found)
{
	record();
	FOR_EACH_SWITCH(i)
	{
		if (recorded[i].value == SWITCH_REASON_OFF)
			continue;
		for (uint16_t kind = 0; kind <= EVENT_SWITCH + 1; kind++) {
			if (kind == EVENT_SWITCH)
				continue;
			restore()[i].kind = kind;
			expect_divergence("another kind", i);
		}
	}
}

/* A trap where nobody is on to execute it. */
Test(switch_event, who_is_off_does_not_go_on)
{
	record();
	FOR_EACH_SWITCH(i)
	{
		if (recorded[i].value != SWITCH_REASON_OFF)
			continue;
		for (uint16_t kind = 0; kind < EVENT_SWITCH; kind++) {
			restore()[i].kind = kind;
			expect_divergence("another kind", i);
		}
	}
}

Test(switch_event, a_reason_that_there_is_not_is_refused)
{
	static const uint64_t reasons[] = {0, SWITCH_REASON_COUNT, 99, UINT32_MAX, UINT64_MAX};
	record();
	FOR_EACH_SWITCH(i)
	{
		for (size_t j = 0; j < sizeof(reasons) / sizeof(reasons[0]); j++) {
			restore()[i].value = reasons[j];
			expect_refusal("no reason", i);
		}
	}
}

Test(switch_event, a_guest_with_one_vcpu_has_no_turns)
{
	static const struct fake_op alone[] = {FAKE_LOOP(100), FAKE_STORE(2, GUEST_UART_IPA, 1), FAKE_LOOP(100),
					       FAKE_OFF};
	struct fake_config one = {.segments = {FAKE_CODE_SEGMENT(alone)}};
	size_t count;
	fake_round_trip(one, END_REASON_POWER_OFF);
	struct event *trace = fake_trace(&count);
	memmove(&trace[1], &trace[0], count * sizeof(*trace));
	for (uint64_t next = 0; next < 3; next++) {
		trace[0].kind = EVENT_SWITCH;
		trace[0].address = next;
		trace[0].value = SWITCH_REASON_SLICE;
		trace[0].size = 0;
		fake_trace_cut(count + 1);
		fake_expect_divergence(&one, &trace[0]);
	}
}

/* A trace that breaks off right before or after a turn ends there. */
Test(switch_event, a_trace_may_break_off_at_a_turn)
{
	record();
	FOR_EACH_SWITCH(i)
	{
		for (size_t keep = i; keep <= i + 1; keep++) {
			restore();
			fake_trace_cut(keep);
			fake_expect_state(fake_replay(&config), HV_STATE_ENDED, "a trace without its end");
			cr_assert_eq(fake_mailbox()->stop, HV_STOP_END);
			cr_assert_eq(fake_mailbox()->event_tail, keep);
		}
	}
}
