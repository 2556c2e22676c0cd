/* A driver for virtio over MMIO, version 2 (VIRTIO 1.2, 4.2.2), with one split queue for each device. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VIRTIO_DISK = 2, VIRTIO_RNG = 4, VIRTIO_QUEUE_SIZE = 64, VIRTIO_SEGMENTS_MAX = 16 };

enum virtio_register {
	VIRTIO_DEVICE_ID = 0x008,
	VIRTIO_DEVICE_FEATURES = 0x010,
	VIRTIO_DEVICE_FEATURES_SEL = 0x014,
	VIRTIO_DRIVER_FEATURES = 0x020,
	VIRTIO_DRIVER_FEATURES_SEL = 0x024,
	VIRTIO_QUEUE_SEL = 0x030,
	VIRTIO_QUEUE_NUM = 0x038,
	VIRTIO_QUEUE_READY = 0x044,
	VIRTIO_QUEUE_NOTIFY = 0x050,
	VIRTIO_INTERRUPT_STATUS = 0x060,
	VIRTIO_INTERRUPT_ACK = 0x064,
	VIRTIO_STATUS = 0x070,
	VIRTIO_QUEUE_DESC = 0x080,
	VIRTIO_QUEUE_DRIVER = 0x090,
	VIRTIO_QUEUE_DEVICE = 0x0a0,
	VIRTIO_CONFIG = 0x100,
};

enum { VIRTIO_STATUS_OK = 15, VIRTIO_STATUS_NEEDS_RESET = 64 };

struct virtio_descriptor {
	uint64_t address;
	uint32_t bytes;
	uint16_t flags, next;
};

struct virtio_queue {
	_Alignas(16) struct virtio_descriptor desc[VIRTIO_QUEUE_SIZE];
	struct {
		uint16_t flags, index, ring[VIRTIO_QUEUE_SIZE], used_event;
	} available;
	struct {
		_Alignas(4) uint16_t flags;
		uint16_t index;
		struct {
			uint32_t head, bytes;
		} ring[VIRTIO_QUEUE_SIZE];
		uint16_t available_event;
	} used;
};

struct virtio {
	uint64_t base;
	uint32_t intid;
	volatile struct virtio_queue *queue;
	uint16_t put, taken;
	bool waits; /* for its interrupt, which the payload's handler answers (virtio_answer); else it polls */
};

/* A part of a request. */
struct virtio_segment {
	const volatile void *at;
	uint32_t bytes;
	bool writable;
};

/* Finds the first device of this type. False: there is none. */
bool virtio_find(struct virtio *device, uint32_t type);
/* Resets the device and sets it up with its queue in `queue`, without features but VERSION_1. */
void virtio_start(struct virtio *device, volatile struct virtio_queue *queue);
/* Puts a request into the queue, which takes `count` descriptors; at most VIRTIO_QUEUE_SIZE between two calls of
 * virtio_wait. */
void virtio_put(struct virtio *device, const struct virtio_segment *segments, uint32_t count);
/* Notifies the device, and waits until all requests are done. */
void virtio_wait(struct virtio *device);
/* Of an interrupt handler: takes the device's interrupt back. Returns INTERRUPT_STATUS. */
uint32_t virtio_answer(const struct virtio *device);

static inline uint64_t virtio_bytes_used(const struct virtio *device, uint16_t index)
{
	return device->queue->used.ring[index % VIRTIO_QUEUE_SIZE].bytes;
}
