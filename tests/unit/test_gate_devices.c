/* Devices on the fake machine: what hv asks the host for and what it gives out, recorded and replayed; a host that
 * cannot; and traces that were changed in an event of a device. */
#include "tests/unit/fake_virtio.h"

TestSuite(gate_devices, .timeout = 900);

/* A read and a write, and 100 random bytes. */
static void prepare(void)
{
	uint8_t data[1024];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 5);
	disk_put(0, 0, 3, 1024);
	disk_put(1, 1, 60, 1024);
	ram_put(BUFFER_IPA(1), data, sizeof(data));
	available_put(DISK, 2, 3);
	descriptor_put(RNG, 0, (struct descriptor){BUFFER_IPA(3), 100, 2, 0});
	available_put(RNG, 1, 1);
}

static const struct fake_op polling[] = {
	START(DISK),
	START(RNG),
	NOTIFY(RNG),
	FAKE_PEEK(1, BUFFER_IPA(3)),
	FAKE_FOLD(1),
	NOTIFY(DISK),
	FAKE_LOOP(LATENCY_NS + 4000),
	FAKE_PEEK(2, BUFFER_IPA(0) + 1020),
	FAKE_FOLD(2),
	FAKE_PEEK(3, STATUS_IPA(0)),
	FAKE_PEEK(4, USED_IPA(DISK)),
	FAKE_PEEK(5, USED_IPA(RNG) + 8),
	FAKE_LOAD(6, REGISTER(DISK, 0x60), 4),
	FAKE_OFF,
};

static const struct fake_config config = {
	.segments = {FAKE_CODE_SEGMENT(polling)}, .devices = devices, .device_count = 2, .prepare = prepare};

static uint32_t given_word(uint64_t sector, uint32_t at)
{
	uint32_t word = 0;
	for (uint32_t i = 0; i < 4; i++)
		word |= (uint32_t)fake_given(sector, at + i) << 8 * i;
	return word;
}

Test(gate_devices, what_the_host_gives_and_gets)
{
	uint64_t bytes;
	fake_expect_state(fake_record(&config), HV_STATE_ENDED, "recording");
	const uint8_t *output = fake_output(&bytes);
	cr_assert_eq(bytes, 1024);
	for (size_t i = 0; i < bytes; i++)
		cr_assert_eq(output[i], (uint8_t)(i * 5));
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq((uint32_t)fake_x(1), given_word(0, 0));
	cr_assert_eq((uint32_t)fake_x(2), given_word(3, 1020));
	cr_assert_eq(fake_x(3) & 0xffff, 0, "both requests are done");
	cr_assert_eq(fake_x(4) >> 16 & 0xffff, 2);
	cr_assert_eq((uint32_t)fake_x(5), 100);
	cr_assert_eq(fake_x(6), 1);
	cr_assert_eq(fake_count(EVENT_ENTROPY), 1);
	const struct event *read = fake_find(EVENT_DISK_READ, 0), *write = fake_find(EVENT_DISK_WRITE, 0);
	cr_assert_eq(event_sector(read), 3);
	cr_assert_eq(event_sector(write), 60);
	cr_assert_eq(event_data_bytes(read), 1024);
	cr_assert_eq(read->n, write->n);
	fake_output(&bytes);
	cr_assert_eq(bytes, 0, "a replay gives nothing out");
}

Test(gate_devices, what_the_host_cannot_do_fails_again)
{
	struct fake_config failing = config;
	for (failing.asks_fail_from = 1; failing.asks_fail_from < 4; failing.asks_fail_from++) {
		bool fails = failing.asks_fail_from < 3;
		fake_round_trip(failing, END_REASON_POWER_OFF);
		cr_assert_eq(fake_count(EVENT_DISK_ERROR), fails);
		cr_assert_eq(fake_x(3) & 0xffff, fails, "the read's status, and the write's");
		cr_assert_eq((uint32_t)fake_x(5), failing.asks_fail_from == 1 ? 0 : 100, "random bytes");
	}
}

Test(gate_devices, a_changed_event_is_reported)
{
	static const enum event_kind kinds[] = {EVENT_DISK_READ, EVENT_DISK_WRITE, EVENT_ENTROPY};
	fake_expect_state(fake_record(&config), HV_STATE_ENDED, "recording");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct event *event = fake_find(kinds[i], 0), kept = *event;
		event->value ^= 1;
		fake_expect_divergence(&config, event);
		*event = kept;
		event->address ^= 1;
		fake_expect_divergence(&config, event);
		*event = kept;
		event->kind = EVENT_DISK_FLUSH;
		fake_expect_divergence(&config, event);
		*event = kept;
	}
}

Test(gate_devices, a_trace_that_ends_within_a_batch_ends_there)
{
	struct fake_config cut = config;
	size_t count;
	fake_expect_state(fake_record(&config), HV_STATE_ENDED, "recording");
	const struct event *all = fake_trace(&count);
	size_t at = (size_t)(fake_find(EVENT_DISK_READ, 0) - all);
	for (size_t keep = at; keep < at + 3; keep++) {
		fake_trace_cut(keep);
		cut.is_truncated = true;
		fake_expect_state(fake_replay(&cut), HV_STATE_ENDED, "cut trace");
		if (keep > at)
			continue;
		cr_assert_eq(*fake_ram_word(STATUS_IPA(0)), 0, "RAM changes behind the end");
		cr_assert_eq(*fake_ram_word(USED_IPA(DISK)), 0);
	}
}

/* A guest that sleeps for its disk, and comes to the WFI at each place around the deadline. */
Test(gate_devices, a_guest_may_begin_to_wait_exactly_when_its_disk_is_done)
{
	static struct fake_op waiting[] = {
		FAKE_GIC_SETUP,
		GIC_DISKS,
		START(DISK),
		NOTIFY(DISK),
		FAKE_LOOP(1),
		FAKE_WFI,
		FAKE_PEEK(2, BUFFER_IPA(0)),
		FAKE_OFF,
	};
	struct fake_config near = config;
	near.segments[0] = (struct fake_segment)FAKE_CODE_SEGMENT(waiting);
	size_t loop = sizeof(waiting) / sizeof(waiting[0]) - 5;
	while (waiting[loop].kind != FAKE_OP_LOOP)
		loop--;
	bool before = false, after = false;
	for (uint64_t insns = LATENCY_NS + 1025; insns < LATENCY_NS + 1050; insns++) {
		waiting[loop].a = insns;
		fake_round_trip(near, END_REASON_POWER_OFF);
		cr_assert_eq((uint32_t)fake_x(2), given_word(3, 0));
		before |= fake_count(EVENT_IDLE) != 0;
		after |= fake_count(EVENT_IDLE) == 0;
	}
	cr_assert(before && after, "the deadline is not among these");
}
