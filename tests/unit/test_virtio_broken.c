/* Queues that cannot be right, by each rule of the specification that a driver can break (VIRTIO 1.2, 2.7): the device
 * waits for its reset and says so, does nothing of the request, and a replay comes to the same. */
#include "tests/unit/fake_virtio.h"

TestSuite(virtio_broken, .timeout = 300);

enum { NEXT = 1, WRITE = 2, INDIRECT = 4, STATUS_NEEDS_RESET = 64, INTERRUPT_CONFIG = 2 };

static const struct fake_op program[] = {
	START(DISK),
	START(RNG),
	START(NET),
	NOTIFY(RNG),
	NOTIFY(DISK),
	FAKE_LOOP(LATENCY_NS + 600000),
	FAKE_LOAD(1, REGISTER(DISK, 0x70), 4),
	FAKE_LOAD(2, REGISTER(DISK, 0x60), 4),
	FAKE_LOAD(3, REGISTER(RNG, 0x70), 4),
	FAKE_LOAD(4, REGISTER(RNG, 0x60), 4),
	FAKE_LOAD(5, REGISTER(NET, 0x70), 4),
	FAKE_LOAD(6, REGISTER(NET, 0x60), 4),
	FAKE_OFF,
};
static const struct fake_act packet[] = {{FAKE_PACKET, 5000, 0}};

static struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(program)},
				    .devices = devices,
				    .device_count = 3,
				    .acts = packet,
				    .act_count = 1};

static void good(void)
{
	disk_put(0, 1, 3, 1024);
	available_put(DISK, 1, 3);
	descriptor_put(RNG, 0, (struct descriptor){BUFFER_IPA(3), 100, WRITE, 0});
	available_put(RNG, 1, 1);
	descriptor_put(NET, 0, (struct descriptor){BUFFER_IPA(4), 100, WRITE, 0});
	available_put(NET, 1, 1);
}

static void next_beyond_the_table(void)
{
	descriptor_put(DISK, 1, (struct descriptor){BUFFER_IPA(0), 1024, NEXT, QUEUE_SIZE});
	descriptor_put(DISK, QUEUE_SIZE, (struct descriptor){STATUS_IPA(0), 1, WRITE, 0});
}

static void circle(void)
{
	descriptor_put(DISK, 1, (struct descriptor){BUFFER_IPA(0), 1024, NEXT, 1});
}

static void readable_behind_writable(void)
{
	descriptor_put(DISK, 0, (struct descriptor){STATUS_IPA(0), 1, WRITE | NEXT, 1});
}

static void more_than_the_queue_has(void)
{
	available_put(DISK, QUEUE_SIZE, 0);
	const uint16_t index = QUEUE_SIZE + 1;
	ram_put(DRIVER_IPA(DISK) + 2, &index, sizeof(index));
}

static void head_beyond_the_table(void)
{
	const uint16_t head = QUEUE_SIZE;
	ram_put(DRIVER_IPA(DISK) + 4, &head, sizeof(head));
}

static void short_header(void)
{
	descriptor_put(DISK, 0, (struct descriptor){HEADER_IPA(0), 15, NEXT, 2});
}

static void no_status(void)
{
	descriptor_put(DISK, 1, (struct descriptor){BUFFER_IPA(0), 1024, 0, 0});
}

static void empty_status(void)
{
	descriptor_put(DISK, 2, (struct descriptor){STATUS_IPA(0), 0, WRITE, 0});
}

static void data_outside_of_ram(void)
{
	descriptor_put(DISK, 1, (struct descriptor){GUEST_RAM_IPA + FAKE_RAM_BYTES - 1023, 1024, NEXT, 2});
}

static void status_outside_of_ram(void)
{
	descriptor_put(DISK, 2, (struct descriptor){GUEST_RAM_IPA - 1, 1, WRITE, 0});
}

static void more_than_ram(void)
{
	descriptor_put(DISK, 1, (struct descriptor){GUEST_RAM_IPA, FAKE_RAM_BYTES, NEXT, 2});
}

static void table_without_the_feature(void)
{
	descriptor_put(DISK, 0, (struct descriptor){QUEUE_IPA(DISK) + 16, 32, INDIRECT, 0});
}

static void (*const disk_spoils[])(void) = {next_beyond_the_table,
					    circle,
					    readable_behind_writable,
					    more_than_the_queue_has,
					    head_beyond_the_table,
					    short_header,
					    no_status,
					    empty_status,
					    data_outside_of_ram,
					    status_outside_of_ram,
					    more_than_ram,
					    table_without_the_feature};

static void (*spoil)(void);

static void prepare(void)
{
	good();
	if (spoil)
		spoil();
}

/* `which`: the number of x that its status is in. */
static void expect_broken(uint32_t which)
{
	config.prepare = prepare;
	fake_round_trip(config, END_REASON_POWER_OFF);
	for (uint32_t i = 1; i < 6; i += 2) {
		bool broken = fake_x(i) & STATUS_NEEDS_RESET, told = fake_x(i + 1) & INTERRUPT_CONFIG;
		cr_expect_eq(broken, i == which, "device %u of %u", i / 2, which / 2);
		cr_expect_eq(told, broken);
	}
}

Test(virtio_broken, a_good_queue_is_not)
{
	expect_broken(0);
	cr_assert_eq(fake_count(EVENT_DISK_WRITE), 1);
	cr_assert_eq(fake_count(EVENT_ENTROPY), 1);
	cr_assert_eq(fake_count(EVENT_PACKET_IN), 1);
	cr_assert_eq(*fake_ram_word(USED_IPA(NET) + 8), FAKE_PACKET_BYTES + 12);
}

Test(virtio_broken, a_disk_is_and_says_so)
{
	for (size_t i = 0; i < sizeof(disk_spoils) / sizeof(disk_spoils[0]); i++) {
		spoil = disk_spoils[i];
		expect_broken(1);
		cr_expect_eq(fake_count(EVENT_DISK_WRITE), 0, "spoil %zu", i);
		cr_expect_eq(*fake_ram_word(USED_IPA(DISK)), 0, "spoil %zu", i);
	}
}

static void random_bytes_outside_of_ram(void)
{
	descriptor_put(RNG, 0, (struct descriptor){UINT64_MAX - 50, 100, WRITE, 0});
}

Test(virtio_broken, a_source_of_entropy_is)
{
	spoil = random_bytes_outside_of_ram;
	expect_broken(3);
	cr_assert_eq(fake_count(EVENT_ENTROPY), 0);
}

static void no_room_for_the_header(void)
{
	descriptor_put(NET, 0, (struct descriptor){BUFFER_IPA(4), 11, WRITE, 0});
}

static void more_buffers_than_the_queue_has(void)
{
	const uint16_t index = 1000;
	ram_put(DRIVER_IPA(NET) + 2, &index, sizeof(index));
}

static void buffer_outside_of_ram(void)
{
	descriptor_put(NET, 0, (struct descriptor){GUEST_RAM_IPA - 50, 100, WRITE, 0});
}

/* When a packet comes is the host's; that the queue is broken shows at its event. */
Test(virtio_broken, a_network_card_is_when_a_packet_comes)
{
	static void (*const spoils[])(void) = {no_room_for_the_header, more_buffers_than_the_queue_has,
					       buffer_outside_of_ram};
	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		spoil = spoils[i];
		expect_broken(5);
		cr_assert_eq(fake_count(EVENT_PACKET_IN), 1);
	}
}
