/* Who ran when: what each vCPU did adds up to the guest's time. */
#include "replay/trace/trace_stat_vcpus.h"

#include <criterion/criterion.h>

enum { START_N = 1000, START_NS = 5000, END_N = 1400, JUMP_NS = 40 };

static const struct event events[] = {
	{.n = 1000, .kind = EVENT_EXIT},
	{.n = 1100, .kind = EVENT_SWITCH, .vcpu = 0, .address = 1, .value = SWITCH_REASON_SLICE},
	{.n = 1100, .kind = EVENT_INJECT, .vcpu = 1, .address = 27},
	{.n = 1150, .kind = EVENT_IDLE, .vcpu = 1, .address = UINT64_MAX, .value = JUMP_NS},
	{.n = 1200, .kind = EVENT_SWITCH, .vcpu = 1, .address = 0, .value = SWITCH_REASON_WAITS},
	{.n = 1300, .kind = EVENT_SWITCH, .vcpu = 0, .address = 2, .value = SWITCH_REASON_OFF},
	{.n = 1300, .kind = EVENT_SWITCH, .vcpu = 2, .address = 1, .value = 77},
	{.n = 1310, .kind = EVENT_INJECT, .vcpu = 9, .address = 27}, /* the guest has no such vCPU */
	{.n = 1400, .kind = EVENT_END, .vcpu = 1},
};

static struct trace_stat_vcpus counted(uint64_t vcpu_count)
{
	struct trace_stat_vcpus vcpus;
	trace_stat_vcpus_begin(&vcpus, vcpu_count, START_N, START_NS);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		trace_stat_vcpus_add(&vcpus, &events[i]);
	trace_stat_vcpus_end(&vcpus, END_N);
	return vcpus;
}

TestSuite(trace_stat_vcpus);

Test(trace_stat_vcpus, each_has_what_it_did)
{
	static const struct trace_stat_vcpu expected[4] = {
		{.event_count = 3,
		 .turns = 2,
		 .instructions = 200,
		 .ready_ns = 100 + JUMP_NS,
		 .off_ns = 100,
		 .ends = {[SWITCH_REASON_SLICE] = 1, [SWITCH_REASON_OFF] = 1}},
		{.event_count = 4,
		 .interrupts = 1,
		 .turns = 2,
		 .instructions = 200,
		 .waits_ns = JUMP_NS + 100,
		 .off_ns = 100,
		 .ends = {[SWITCH_REASON_WAITS] = 1}},
		{.event_count = 1, .turns = 1, .ready_ns = 100, .off_ns = 300 + JUMP_NS, .ends = {1}},
		{.off_ns = 400 + JUMP_NS},
	};
	struct trace_stat_vcpus vcpus = counted(4);
	cr_assert_eq(vcpus.count, 4);
	for (int i = 0; i < 4; i++) {
		const struct trace_stat_vcpu *vcpu = &vcpus.at[i];
		cr_expect_eq(memcmp(vcpu, &expected[i], sizeof(*vcpu)), 0,
			     "vCPU %d: %zu events, %zu turns, %zu n, waits %zu, ready %zu, off %zu", i,
			     (size_t)vcpu->event_count, (size_t)vcpu->turns, (size_t)vcpu->instructions,
			     (size_t)vcpu->waits_ns, (size_t)vcpu->ready_ns, (size_t)vcpu->off_ns);
		cr_expect_eq(vcpu->instructions + vcpu->waits_ns + vcpu->ready_ns + vcpu->off_ns,
			     END_N - START_N + JUMP_NS, "vCPU %d is somewhere at every time", i);
	}
}

Test(trace_stat_vcpus, a_trace_may_say_any_number)
{
	cr_expect_eq(counted(0).count, 1);
	cr_expect_eq(counted(1).at[0].instructions, END_N - START_N, "who is not there has no turn");
	cr_expect_eq(counted(UINT64_MAX).count, GUEST_VCPU_MAX);
}

Test(trace_stat_vcpus, without_events_nobody_ran)
{
	struct trace_stat_vcpus vcpus;
	trace_stat_vcpus_begin(&vcpus, 2, START_N, START_NS);
	trace_stat_vcpus_end(&vcpus, START_N);
	for (int i = 0; i < 2; i++)
		cr_expect_eq(vcpus.at[i].turns + vcpus.at[i].instructions + vcpus.at[i].off_ns, 0);
}
