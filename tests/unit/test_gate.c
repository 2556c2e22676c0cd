/* Replays of traces that were changed: every change is a divergence, reported at the event that was changed, and never
 * a hang, a panic or a crash. What only the trace can know (a typed byte, an idle jump, the place of an over-counted
 * read) shows at a later event or in the final state. */
#include "tests/unit/fake_check.h"
#include <stddef.h>

TestSuite(gate, .timeout = 900);

#define KEY_CNTPCT FAKE_KEY(3, 3, 14, 0, 1)
#define KEY_MDSCR  FAKE_KEY(2, 0, 0, 2, 2)
#define UART_IMSC  (GUEST_UART_IPA + 0x38)

static const struct fake_op irq_handler[] = {
	FAKE_ACK(1),
	FAKE_FOLD(1),
	FAKE_CNTVCT(2),
	FAKE_FOLD(2),
	FAKE_UNLESS(1, GUEST_INTID_VTIMER, 1),
	FAKE_VTIMER(0, 0),
	FAKE_UNLESS(1, GUEST_INTID_UART, 2),
	FAKE_LOAD(4, GUEST_UART_IPA, 4),
	FAKE_FOLD(4),
	FAKE_EOI(1),
	FAKE_ERET,
};

static const struct fake_op ops[] = {
	FAKE_GIC_SETUP,
	FAKE_MOV(9, 0x10),
	FAKE_STORE(9, UART_IMSC, 4),
	FAKE_UNMASK,
	FAKE_LOOP(300),
	FAKE_MRS(5, KEY_CNTPCT),
	FAKE_FOLD(5),
	FAKE_MRS(6, KEY_MDSCR),
	FAKE_LOOP(300),
	FAKE_MRS(6, FAKE_KEY(3, 0, 0, 8, 1)),
	FAKE_LOAD(7, 0x0b001000, 4),
	FAKE_TRAP(FAKE_ESR(0x3c, 5), 0, 0),
	FAKE_VTIMER(1, 100),
	FAKE_WFI,
	FAKE_CNTVCT(5),
	FAKE_FOLD(5),
	FAKE_LOOP(100),
	FAKE_MOV(0, 0x84000000),
	FAKE_SMC,
	FAKE_OFF,
};
static const struct fake_act acts[] = {{FAKE_INPUT, 100, 'x'}, {FAKE_RING, 200, 0}, {FAKE_INPUT, 400, 'y'}};
static const struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops), FAKE_IRQ_SEGMENT(irq_handler)},
					  .acts = acts,
					  .act_count = 3,
					  .over_count = 3};

static struct guest_state recorded;

static size_t record(void)
{
	size_t count;
	fake_round_trip(config, END_REASON_POWER_OFF);
	recorded = fake_mailbox()->final_state;
	fake_trace(&count);
	return count;
}

/* It ends by itself, and not as if nothing was wrong. */
static void expect_noticed(const char *what, size_t i)
{
	enum fake_result result = fake_replay(&config);
	cr_expect_eq(result, FAKE_STOPPED, "event %zu, %s: result %d", i, what, result);
	bool noticed = fake_mailbox()->state == HV_STATE_DIVERGED ||
		       (fake_mailbox()->state == HV_STATE_ENDED &&
			memcmp(&recorded, &fake_mailbox()->final_state, sizeof(recorded)) != 0);
	cr_expect(noticed, "event %zu, %s: state %u, %s", i, what, fake_mailbox()->state, fake_mailbox()->text);
}

/* It is reported at this very event. */
static void expect_reported(const char *what, size_t i)
{
	size_t count;
	const struct event *event = &fake_trace(&count)[i];
	enum fake_result result = fake_replay(&config);
	cr_expect_eq(result, FAKE_STOPPED, "event %zu (%s), %s: result %d", i, fake_kind(event), what, result);
	cr_expect_eq(fake_mailbox()->state, HV_STATE_DIVERGED, "event %zu (%s), %s: state %u, %s", i, fake_kind(event),
		     what, fake_mailbox()->state, fake_mailbox()->text);
	cr_expect_eq(memcmp(&fake_mailbox()->expected, event, sizeof(*event)), 0,
		     "event %zu (%s), %s: reported at %s, n %" PRIu64, i, fake_kind(event), what,
		     fake_kind(&fake_mailbox()->expected), fake_mailbox()->expected.n);
	cr_expect_neq(memcmp(&fake_mailbox()->expected, &fake_mailbox()->actual, sizeof(*event)), 0);
}

typedef void expect_fn(const char *what, size_t i);

static void change(size_t i, const char *what, size_t offset, size_t bytes, uint64_t mask, expect_fn *expect)
{
	size_t count;
	struct event *event = &fake_trace(&count)[i];
	const struct event kept = *event;
	uint64_t value = 0;
	memcpy(&value, (const char *)event + offset, bytes);
	value ^= mask;
	memcpy((char *)event + offset, &value, bytes);
	expect(what, i);
	*event = kept;
}

#define CHANGE(i, field, mask, expect)                                                                                 \
	change(i, #field " ^ " #mask, offsetof(struct event, field), sizeof(((struct event *)0)->field), mask, expect)

/* The over-counted reads, and a byte's arrival: their place is the trace's to say. */
static bool place_is_free(const struct event *event)
{
	return event->kind == EVENT_INPUT || event->kind == EVENT_SYSREG_DENIED ||
	       (event->kind == EVENT_SYSREG_READ && event->address >> 14 == 2);
}

Test(gate, a_changed_place_is_reported)
{
	size_t count = record();
	for (size_t i = 0; i < count; i++) {
		expect_fn *expect = place_is_free(&fake_trace(&count)[i]) ? expect_noticed : expect_reported;
		CHANGE(i, n, 1, expect);
		CHANGE(i, n, 0x40, expect);
		CHANGE(i, n, UINT64_C(1) << 63, expect);
		CHANGE(i, n, UINT64_MAX, expect);
		CHANGE(i, pc, 4, expect_reported);
		CHANGE(i, vcpu, 1, expect_reported);
		CHANGE(i, size, 8, expect_reported);
	}
}

Test(gate, a_changed_kind_is_reported)
{
	size_t count = record();
	for (size_t i = 0; i < count; i++) {
		for (uint64_t kind = 0; kind <= EVENT_KIND_MAX + 1; kind++) {
			uint64_t mask = fake_trace(&count)[i].kind ^ kind;
			if (mask != 0)
				CHANGE(i, kind, mask, expect_reported);
		}
	}
}

Test(gate, a_changed_address_is_reported)
{
	size_t count = record();
	for (size_t i = 0; i < count; i++) {
		if (fake_trace(&count)[i].kind == EVENT_EXIT)
			continue; /* why the recording's machine stopped there: nothing in the guest depends on it */
		CHANGE(i, address, 1, expect_reported);
		CHANGE(i, address, UINT64_C(1) << 60, expect_reported);
	}
}

Test(gate, a_changed_value_is_reported)
{
	size_t count = record();
	for (size_t i = 0; i < count; i++) {
		uint16_t kind = fake_trace(&count)[i].kind;
		expect_fn *expect = kind == EVENT_INPUT || kind == EVENT_IDLE ? expect_noticed : expect_reported;
		CHANGE(i, value, 1, expect);
		CHANGE(i, value, UINT64_C(1) << 31,
		       expect == expect_noticed && kind == EVENT_INPUT ? expect_reported : expect);
	}
}

Test(gate, an_idle_jump_of_nothing_does_not_hang)
{
	record();
	fake_find(EVENT_IDLE, 0)->value = 0;
	expect_noticed("no jump", 0);
}

Test(gate, a_missing_event_is_reported_at_its_successor)
{
	size_t count = record();
	struct event *events = fake_trace(&count);
	static struct event whole[FAKE_EVENTS_MAX];
	memcpy(whole, events, sizeof(whole));
	for (size_t i = 0; i + 1 < count; i++) {
		memmove(&events[i], &events[i + 1], (count - i - 1) * sizeof(*events));
		fake_trace_cut(count - 1);
		expect_noticed("missing", i);
		memcpy(events, whole, sizeof(whole));
		fake_trace_cut(count);
	}
}

Test(gate, an_event_that_comes_twice_is_reported)
{
	size_t count = record();
	struct event *events = fake_trace(&count);
	static struct event whole[FAKE_EVENTS_MAX];
	memcpy(whole, events, sizeof(whole));
	for (size_t i = 0; i + 1 < count; i++) {
		memmove(&events[i + 1], &events[i], (count - i) * sizeof(*events));
		fake_trace_cut(count + 1);
		expect_noticed("twice", i);
		memcpy(events, whole, sizeof(whole));
		fake_trace_cut(count);
	}
}

Test(gate, another_guest_is_a_divergence_from_its_first_event_on)
{
	static const struct fake_op other[] = {FAKE_LOOP(3), FAKE_OFF};
	struct fake_config changed = config;
	record();
	changed.segments[0] = (struct fake_segment)FAKE_CODE_SEGMENT(other);
	fake_expect_state(fake_replay(&changed), HV_STATE_DIVERGED, "another guest");
	cr_assert_eq(fake_mailbox()->event_tail, 0);
	cr_assert_eq(fake_mailbox()->actual.kind, EVENT_SMCCC_CALL);
	cr_assert_eq(fake_mailbox()->actual.n, 4);
}

Test(gate, a_guest_that_never_comes_out_is_stopped)
{
	static const struct fake_op other[] = {FAKE_GOTO(0)};
	struct fake_config changed = config;
	record();
	changed.segments[0] = (struct fake_segment)FAKE_CODE_SEGMENT(other);
	fake_expect_state(fake_replay(&changed), HV_STATE_DIVERGED, "endless loop");
	cr_assert_eq(fake_mailbox()->event_tail, 0);
}
