/* Descriptors are taken in turn: all of them are free when a request's are put, because the payload waits in between.
 */
#include "tests/guest/lib/virtio.h"
#include "tests/guest/lib/guest.h"

enum { TRANSPORTS = 32, TRANSPORT_BYTES = 0x200, INTID_FIRST = 48, VERSION_MODERN = 2, REG_VERSION = 4 };
enum { DESC_NEXT = 1, DESC_WRITE = 2, STATUS_KNOWN = 3, STATUS_FEATURES_OK = 8, STATUS_DRIVER_OK = 4 };

bool virtio_find(struct virtio *device, uint32_t type)
{
	for (uint32_t i = 0; i < TRANSPORTS; i++) {
		uint64_t base = VIRTIO + (uint64_t)i * TRANSPORT_BYTES;
		if (mmio_read32(base + VIRTIO_DEVICE_ID) != type || mmio_read32(base + REG_VERSION) != VERSION_MODERN)
			continue;
		*device = (struct virtio){.base = base, .intid = INTID_FIRST + i};
		return true;
	}
	return false;
}

static void address_write(const struct virtio *device, uint32_t offset, const volatile void *at)
{
	mmio_write32(device->base + offset, (uint32_t)(uintptr_t)at);
	mmio_write32(device->base + offset + 4, (uint32_t)((uintptr_t)at >> 32));
}

void virtio_start(struct virtio *device, volatile struct virtio_queue *queue)
{
	for (size_t i = 0; i < sizeof(*queue); i++)
		((volatile uint8_t *)queue)[i] = 0;
	device->queue = queue;
	device->put = device->taken = 0;
	mmio_write32(device->base + VIRTIO_STATUS, 0);
	CHECK(mmio_read32(device->base + VIRTIO_STATUS) == 0, "a device is not reset");
	CHECK(mmio_read32(device->base + VIRTIO_INTERRUPT_STATUS) == 0, "a reset device interrupts");
	mmio_write32(device->base + VIRTIO_STATUS, STATUS_KNOWN);
	for (uint32_t i = 0; i < 2; i++) {
		mmio_write32(device->base + VIRTIO_DRIVER_FEATURES_SEL, i);
		mmio_write32(device->base + VIRTIO_DRIVER_FEATURES, i);
	}
	mmio_write32(device->base + VIRTIO_STATUS, STATUS_KNOWN | STATUS_FEATURES_OK);
	CHECK(mmio_read32(device->base + VIRTIO_STATUS) == (STATUS_KNOWN | STATUS_FEATURES_OK), "features refused");
	mmio_write32(device->base + VIRTIO_QUEUE_SEL, 0);
	mmio_write32(device->base + VIRTIO_QUEUE_NUM, VIRTIO_QUEUE_SIZE);
	address_write(device, VIRTIO_QUEUE_DESC, &queue->desc);
	address_write(device, VIRTIO_QUEUE_DRIVER, &queue->available);
	address_write(device, VIRTIO_QUEUE_DEVICE, &queue->used);
	mmio_write32(device->base + VIRTIO_QUEUE_READY, 1);
	mmio_write32(device->base + VIRTIO_STATUS, VIRTIO_STATUS_OK);
}

void virtio_put(struct virtio *device, const struct virtio_segment *segments, uint32_t count)
{
	volatile struct virtio_queue *queue = device->queue;
	static uint16_t next;
	uint16_t head = next;
	for (uint32_t i = 0; i < count; i++) {
		volatile struct virtio_descriptor *to = &queue->desc[next];
		next = (uint16_t)((next + 1) % VIRTIO_QUEUE_SIZE);
		to->address = (uint64_t)(uintptr_t)segments[i].at;
		to->bytes = segments[i].bytes;
		to->flags = (uint16_t)((i + 1 < count ? DESC_NEXT : 0) | (segments[i].writable ? DESC_WRITE : 0));
		to->next = next;
	}
	queue->available.ring[device->put++ % VIRTIO_QUEUE_SIZE] = head;
}

static bool all_done(const struct virtio *device)
{
	return device->queue->used.index == device->put;
}

void virtio_wait(struct virtio *device)
{
	__asm__ volatile("dmb ish" ::: "memory"); /* the requests are there before the index says so */
	device->queue->available.index = device->put;
	__asm__ volatile("dmb ish" ::: "memory");
	mmio_write32(device->base + VIRTIO_QUEUE_NOTIFY, 0);
	while (!all_done(device)) {
		if (!device->waits)
			continue;
		irq_mask(); /* the interrupt may come between the look and the sleep */
		if (!all_done(device))
			__asm__ volatile("wfi" ::: "memory");
		irq_unmask();
	}
	CHECK(mmio_read32(device->base + VIRTIO_STATUS) == VIRTIO_STATUS_OK, "the device is broken");
	device->taken = device->put;
}

uint32_t virtio_answer(const struct virtio *device)
{
	uint32_t status = mmio_read32(device->base + VIRTIO_INTERRUPT_STATUS);
	mmio_write32(device->base + VIRTIO_INTERRUPT_ACK, status);
	return status;
}
