/* Most cases begin with a queue that works, because nonsense from the beginning does not come far. What may come of it:
 * a device that waits for its reset, of which the driver is told by a change of the configuration. */
#include "tests/fuzz/virtio_hostile.h"
#include "hv/core/virtio_bus.h"
#include "hv/dev/virtio.h"
#include "tests/fuzz/random.h"
#include "tests/fuzz/virtio_host.h"
#include "tests/unit/virtio_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_DRIVER_OK = 4, STATUS_NEEDS_RESET = 64, INTERRUPT_CONFIG = 2, OPERATIONS_MAX = 24 };

static struct driver driver;

static void demand(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "virtio_hostile: %s\n", what);
	abort();
}

static uint64_t some_ipa(void)
{
	static const uint64_t edges[] = {0,          GUEST_RAM_IPA, GUEST_RAM_IPA + HOST_RAM_BYTES,
					 UINT64_MAX, 1ull << 32,    1ull << 63};
	uint64_t any = GUEST_RAM_IPA + random_below(HOST_RAM_BYTES);
	if (random_below(3) != 0)
		return any;
	if (random_below(3) == 0)
		return driver.rings + random_below(driver_bytes(driver.size));
	return edges[random_below(6)] - random_below(40) + random_below(20);
}

static uint32_t some_bytes(void)
{
	static const uint32_t lengths[] = {0,       1, 16, 512, 513, 1024, HOST_RAM_BYTES, UINT32_MAX, UINT32_MAX - 511,
					   1u << 31};
	return random_below(2) ? lengths[random_below(10)] : (uint32_t)(random_u64() >> (32 + random_below(32)));
}

static uint32_t some_word(void)
{
	switch (random_below(5)) {
	case 0:
		return (uint32_t)random_below(4);
	case 1:
		return 1u << random_below(32);
	case 2:
		return (uint32_t)some_ipa();
	case 3:
		return (uint32_t)random_u64();
	default:
		return (uint32_t)random_below(300);
	}
}

static void descriptor_scribble(uint64_t at)
{
	struct {
		uint64_t ipa;
		uint32_t bytes;
		uint16_t flags, next;
	} descriptor = {some_ipa(), some_bytes(), (uint16_t)random_below(8), (uint16_t)random_below(driver.size)};
	if (random_below(6) == 0) /* to the end of RAM, or a byte further */
		descriptor.ipa = GUEST_RAM_IPA + HOST_RAM_BYTES - (descriptor.bytes %= 2000) + random_below(3) - 1;
	if (random_below(16) == 0)
		descriptor.flags = (uint16_t)random_u64();
	if (random_below(16) == 0)
		descriptor.next = (uint16_t)random_u64();
	if (descriptor.flags & 4 && random_below(2)) { /* an indirect table in RAM */
		descriptor.bytes = 16 * (1 + (uint32_t)random_below(100));
		descriptor.flags = 4;
	}
	if (at - GUEST_RAM_IPA <= HOST_RAM_BYTES - sizeof(descriptor))
		memcpy(driver_ram(at, sizeof(descriptor)), &descriptor, sizeof(descriptor));
}

/* What a request of a disk begins with, so that more than errors come of it. */
static void header_scribble(void)
{
	const uint64_t header[2] = {random_below(15), random_below(HOST_DISK_SECTORS)};
	uint64_t at = GUEST_RAM_IPA + random_below(HOST_RAM_BYTES - 16);
	memcpy(driver_ram(at, sizeof(header)), header, sizeof(header));
	if (random_below(2))
		memcpy(driver_ram(driver.desc, 8), &at, 8);
}

static void table_scribble(void)
{
	for (uint64_t left = 1 + random_below(20); left > 0; left--)
		descriptor_scribble(driver.desc + 16 * random_below(driver.size));
	for (uint64_t left = random_below(20); left > 0; left--)
		descriptor_scribble(GUEST_RAM_IPA + 16 * random_below(HOST_RAM_BYTES / 16));
}

static void available_move(void)
{
	uint16_t index, by = (uint16_t)(random_below(10) == 0 ? random_u64() : random_below(driver.size + 1));
	memcpy(&index, driver_ram(driver.available + 2, 2), 2);
	for (uint16_t i = 0; i < by && i < driver.size; i++) {
		uint16_t head = (uint16_t)(random_below(50) == 0 ? random_u64() : random_below(driver.size));
		memcpy(driver_ram(driver.available + 4 + 2 * (uint64_t)((index + i) % driver.size), 2), &head, 2);
	}
	index = (uint16_t)(index + by);
	memcpy(driver_ram(driver.available + 2, 2), &index, 2);
}

static void bytes_scribble(void)
{
	uint64_t at = some_ipa();
	for (uint64_t left = random_below(64); left > 0; left--, at++) {
		if (at - GUEST_RAM_IPA < HOST_RAM_BYTES)
			*(uint8_t *)driver_ram(at, 1) = (uint8_t)random_u64();
	}
}

static uint64_t some_register(void)
{
	static const uint8_t known[] = {0x14, 0x20, 0x24, 0x30, 0x38, 0x44, 0x50, 0x60, 0x64, 0x70, 0x80,
					0x84, 0x90, 0x94, 0xa0, 0xa4, 0xac, 0xfc, 0x50, 0x50, 0x64};
	uint64_t transport = random_below(10) == 0 ? random_below(GUEST_VIRTIO_COUNT) : driver.transport;
	uint64_t offset = random_below(4) ? known[random_below(sizeof(known))] : random_below(GUEST_VIRTIO_BYTES);
	return transport * GUEST_VIRTIO_BYTES + offset;
}

static void register_access(void)
{
	uint8_t size = (uint8_t)(random_below(4) ? 4 : 1u << random_below(4));
	uint64_t at = some_register();
	if (random_below(3) == 0)
		virtio_bus_read(at, size);
	else
		virtio_bus_write(at, size, random_below(8) ? some_word() : random_u64());
}

/* Used ring, available ring and descriptors over each other. */
static void rings_overlap(void)
{
	struct virtqueue_state *queue = &hv.guest.virtio[driver.transport].queue[driver.queue];
	uint64_t at = driver.rings + 2 * random_below(20);
	queue->device = random_below(2) ? at : queue->device;
	queue->driver = random_below(2) ? at + 2 * random_below(8) : queue->driver;
	queue->desc = random_below(4) ? queue->desc : at;
}

static void operation(void)
{
	static void (*const operations[])(void) = {register_access, register_access, table_scribble, table_scribble,
						   header_scribble, available_move,  available_move, available_move,
						   bytes_scribble,  rings_overlap};
	uint64_t what = random_below(20);
	if (what < 10)
		operations[what]();
	else if (what < 14)
		driver_set(&driver, DRIVER_NOTIFY, driver.queue);
	else if (what < 17)
		host_time_passes();
	else if (what == 17)
		host.packets = (uint32_t)random_below(4);
	else if (what == 18)
		host.fails = random_below(4) == 0;
	host_settle();
}

/* `before`: whether it waited for its reset before the operation. */
static void transport_check(uint32_t transport, bool before)
{
	const struct virtio_state *state = &hv.guest.virtio[transport];
	bool broken = state->status & STATUS_NEEDS_RESET;
	demand(host.level[transport] == (state->interrupt != 0), "the line is not what the status says");
	demand(!broken || state->deadline_ns == 0, "a broken disk is at work");
	demand(!broken || before || !(state->status & STATUS_DRIVER_OK) || state->interrupt & INTERRUPT_CONFIG,
	       "the driver is not told that the device is broken");
}

static void operation_checked(void)
{
	bool before[HOST_TRANSPORTS];
	for (uint32_t i = 0; i < HOST_TRANSPORTS; i++)
		before[i] = hv.guest.virtio[i].status & STATUS_NEEDS_RESET;
	operation();
	for (uint32_t i = 0; i < HOST_TRANSPORTS; i++)
		transport_check(i, before[i]);
}

void hostile_case(void)
{
	driver = (struct driver){.transport = (uint32_t)random_below(HOST_EMPTY),
				 .size = (uint16_t)(1u << random_below(9))};
	driver.queue = driver.transport == HOST_NET ? (uint32_t)random_below(2) : 0;
	driver.start = (uint16_t)random_u64();
	driver.features = random_u64() & (VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
	driver.rings = GUEST_RAM_IPA + 16 * random_below(256);
	driver_start(&driver);
	for (uint64_t left = random_below(OPERATIONS_MAX); left > 0; left--)
		operation_checked();
	host.packets = 0;
	host.fails = false;
	for (uint32_t i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		virtio_bus_write((uint64_t)i * GUEST_VIRTIO_BYTES + DRIVER_STATUS, 4, 0);
		demand(!host.level[i] && hv.guest.virtio[i].deadline_ns == 0, "a reset device does something");
	}
}
