/* What the tests on the fake machine have in common: recordings that end and replay to the same state, and looking into
 * a trace. */
#pragma once
#include "tests/unit/fake_machine.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#define FAKE_CODE_SEGMENT(ops)                                                                                         \
	{                                                                                                              \
		FAKE_CODE, ops, sizeof(ops) / sizeof((ops)[0])                                                         \
	}
#define FAKE_IRQ_SEGMENT(ops)                                                                                          \
	{                                                                                                              \
		FAKE_IRQ_VECTOR, ops, sizeof(ops) / sizeof((ops)[0])                                                   \
	}

#define FAKE_GICD(offset) (GUEST_GICD_IPA + (offset))
#define FAKE_SGI(offset)  (GUEST_GICR_IPA + 0x10000 + (offset))

/* The virtual GIC as a guest sets it up: group 1, all of PPIs 16 to 31, and the UART's and RTC's SPIs. */
#define FAKE_GIC_SETUP                                                                                                 \
	FAKE_MOV(9, 2), FAKE_STORE(9, FAKE_GICD(0), 4), FAKE_MOV(9, 0xffffffff), FAKE_STORE(9, FAKE_SGI(0x80), 4),     \
		FAKE_STORE(9, FAKE_SGI(0x100), 4), FAKE_STORE(9, FAKE_GICD(0x84), 4), FAKE_MOV(9, 6),                  \
		FAKE_STORE(9, FAKE_GICD(0x104), 4), FAKE_GIC_ON

static inline const char *fake_kind(const struct event *event)
{
	switch (event->kind) {
#define EVENT(id, name, class, address, value, text)                                                                   \
	case id:                                                                                                       \
		return #name;
#include "hv/abi/event.def"
#undef EVENT
	default:
		return "nothing";
	}
}

static inline void fake_expect_state(enum fake_result result, enum hv_state state, const char *what)
{
	const struct hv_mailbox *mailbox = fake_mailbox();
	cr_assert_eq(result, FAKE_STOPPED, "%s: %s %s, at n %" PRIu64 ", event %" PRIu64, what,
		     result == FAKE_STUCK    ? "stuck"
		     : result == FAKE_LOST   ? "the guest is lost"
		     : result == FAKE_BROKEN ? "a rule is broken:"
					     : "crashed",
		     mailbox->text, mailbox->now_n, mailbox->event_tail);
	cr_assert_eq(mailbox->state, state,
		     "%s: state %u, %s; expected %s at %" PRIu64 " pc %" PRIx64 " address %" PRIx64 " value %" PRIx64
		     ", got %s at %" PRIu64 " pc %" PRIx64 " address %" PRIx64 " value %" PRIx64,
		     what, mailbox->state, mailbox->text, fake_kind(&mailbox->expected), mailbox->expected.n,
		     mailbox->expected.pc, mailbox->expected.address, mailbox->expected.value,
		     fake_kind(&mailbox->actual), mailbox->actual.n, mailbox->actual.pc, mailbox->actual.address,
		     mailbox->actual.value);
}

static inline void fake_expect_replay(const struct fake_config *config, const struct guest_state *recorded,
				      uint32_t end_reason)
{
	fake_expect_state(fake_replay(config), HV_STATE_ENDED, "replay");
	cr_assert_eq(fake_mailbox()->end_reason, end_reason);
	for (size_t i = 0; i < sizeof(*recorded); i += 8)
		cr_assert_eq(memcmp((const char *)recorded + i, (const char *)&fake_mailbox()->final_state + i, 8), 0,
			     "the replay's state differs at byte %zu", i);
}

/* Records, expects `reason`, and replays twice: with other over-counts, and with the trace coming in small pieces. The
 * mailbox is the last replay's; its final state is the recording's. */
static inline void fake_round_trip(struct fake_config config, enum end_reason reason)
{
	struct guest_state recorded;
	fake_expect_state(fake_record(&config), HV_STATE_ENDED, "recording");
	cr_assert_eq(fake_mailbox()->end_reason, reason, "it ended for reason %u: %s", fake_mailbox()->end_reason,
		     fake_mailbox()->text);
	recorded = fake_mailbox()->final_state;
	config.virtual_first = !config.virtual_first;
	config.over_count += 4;
	config.events_turn = 0;
	fake_expect_replay(&config, &recorded, reason);
	config.virtual_first = !config.virtual_first;
	config.ring_count = 2;
	config.events_turn = 1;
	fake_expect_replay(&config, &recorded, reason);
}

/* The last run's registers. */
static inline uint64_t fake_x_of(uint32_t vcpu, uint32_t number)
{
	return fake_mailbox()->final_state.vcpu[vcpu].x[number];
}

static inline uint64_t fake_x(uint32_t number)
{
	return fake_x_of(0, number);
}

static inline const struct vcpu_state *fake_vcpu(void)
{
	return &fake_mailbox()->final_state.vcpu[0];
}

static inline size_t fake_count(enum event_kind kind)
{
	size_t count, found = 0;
	const struct event *events = fake_trace(&count);
	for (size_t i = 0; i < count; i++)
		found += events[i].kind == kind;
	return found;
}

/* The `nth` event of a kind, from 0. */
static inline struct event *fake_find(enum event_kind kind, size_t nth)
{
	size_t count;
	struct event *events = fake_trace(&count);
	for (size_t i = 0; i < count; i++) {
		if (events[i].kind == kind && nth-- == 0)
			return &events[i];
	}
	cr_assert_fail("the trace has no such %s", fake_kind(&(struct event){.kind = (uint16_t)kind}));
	return events;
}

/* Replays a trace that `event` was changed in: it must be reported, at that event, and never hang. */
static inline void fake_expect_divergence(const struct fake_config *config, const struct event *event)
{
	fake_expect_state(fake_replay(config), HV_STATE_DIVERGED, "changed trace");
	cr_assert_eq(memcmp(&fake_mailbox()->expected, event, sizeof(*event)), 0,
		     "reported at %s, n %" PRIu64 ", instead of %s, n %" PRIu64, fake_kind(&fake_mailbox()->expected),
		     fake_mailbox()->expected.n, fake_kind(event), event->n);
}
