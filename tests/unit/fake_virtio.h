/* Virtio devices of the fake machine, and their queues in its RAM: what a scripted guest cannot do by itself is put
 * there before it runs. A guest starts a device by START, and notifies it by NOTIFY. */
#pragma once
#include "hv/dev/virtio.h"
#include "tests/unit/fake_check.h"

enum { DISK = 0, RNG = 1, NET = 2, QUEUE_SIZE = 8, LATENCY_NS = 40000, SECTORS = 64 };

/* A page for the queue of each device: descriptors, rings, headers, statuses; and buffers. */
#define QUEUE_IPA(device)  (GUEST_RAM_IPA + 0x10000 + 0x1000 * (uint64_t)(device))
#define DRIVER_IPA(device) (QUEUE_IPA(device) + 0x200)
#define USED_IPA(device)   (QUEUE_IPA(device) + 0x400)
#define HEADER_IPA(i)      (QUEUE_IPA(0) + 0x800 + 16 * (uint64_t)(i))
#define STATUS_IPA(i)      (QUEUE_IPA(0) + 0xc00 + (uint64_t)(i))
#define BUFFER_IPA(i)      (GUEST_RAM_IPA + 0x20000 + 0x1000 * (uint64_t)(i))

#define REGISTER(device, offset)   (GUEST_VIRTIO_IPA + (device)*GUEST_VIRTIO_BYTES + (offset))
#define SET(device, offset, value) FAKE_MOV(9, value), FAKE_STORE(9, REGISTER(device, offset), 4)
#define START(device)                                                                                                  \
	SET(device, 0x24, 1), SET(device, 0x20, 1), SET(device, 0x70, 11), SET(device, 0x38, QUEUE_SIZE),              \
		SET(device, 0x80, QUEUE_IPA(device)), SET(device, 0x90, DRIVER_IPA(device)),                           \
		SET(device, 0xa0, USED_IPA(device)), SET(device, 0x44, 1), SET(device, 0x70, 15)
#define NOTIFY(device) SET(device, 0x50, 0)
/* The interrupts of the transports: INTIDs 48 and 49. */
#define GIC_DISKS FAKE_MOV(9, 0x3fffe), FAKE_STORE(9, FAKE_GICD(0x84), 4), FAKE_STORE(9, FAKE_GICD(0x104), 4)

static const struct hv_virtio devices[] = {
	{VIRTIO_TYPE_BLOCK, 0, SECTORS, "serial"}, {VIRTIO_TYPE_ENTROPY, 0, 0, ""}, {VIRTIO_TYPE_NET, 0, 1, ""}};

static inline void ram_put(uint64_t ipa, const void *from, size_t bytes)
{
	memcpy((uint8_t *)fake_ram_word(ipa & ~UINT64_C(3)) + (ipa & 3), from, bytes);
}

struct descriptor {
	uint64_t ipa;
	uint32_t bytes;
	uint16_t flags, next;
};

static inline void descriptor_put(uint32_t device, uint16_t at, struct descriptor descriptor)
{
	ram_put(QUEUE_IPA(device) + 16 * (uint64_t)at, &descriptor, sizeof(descriptor));
}

static inline void available_put(uint32_t device, uint16_t count, uint16_t stride)
{
	uint16_t ring[2 + QUEUE_SIZE] = {0, count};
	for (uint16_t i = 0; i < count; i++)
		ring[2 + i] = (uint16_t)(i * stride);
	ram_put(DRIVER_IPA(device), ring, sizeof(ring));
}

static inline void disk_put(uint16_t i, uint32_t type, uint64_t sector, uint32_t bytes)
{
	const uint64_t header[2] = {type, sector};
	uint16_t at = (uint16_t)(3 * i), write = type == 0 ? 2 : 0;
	ram_put(HEADER_IPA(i), header, sizeof(header));
	descriptor_put(DISK, at, (struct descriptor){HEADER_IPA(i), 16, 1, (uint16_t)(at + 1)});
	descriptor_put(DISK, (uint16_t)(at + 1),
		       (struct descriptor){BUFFER_IPA(i), bytes, 1 | write, (uint16_t)(at + 2)});
	descriptor_put(DISK, (uint16_t)(at + 2), (struct descriptor){STATUS_IPA(i), 1, 2, 0});
}
