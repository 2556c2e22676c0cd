/* Registers: VIRTIO 1.2, table 4.1; the order of the setup: 3.1.1 and 4.2.3.1. */
#include "tests/unit/virtio_driver.h"
#include "hv/core/virtio_bus.h"
#include "hv/dev/virtio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REG_DRIVER_FEATURES = 0x20, REG_DRIVER_SEL = 0x24, REG_QUEUE_SEL = 0x30, REG_READY = 0x44, REG_DESC = 0x80 };
enum { REG_AVAILABLE = 0x90, REG_USED = 0xa0, STATUS_KNOWN = 3, STATUS_FEATURES_OK = 8, STATUS_DRIVER_OK = 4 };
enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, DESC_BYTES = DRIVER_DESCRIPTOR_BYTES };

enum { NO_INTERRUPT = 1, NEVER = 0x7fff };

struct descriptor {
	uint64_t ipa;
	uint32_t bytes;
	uint16_t flags, next;
};

static void demand(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "virtio_driver: %s\n", what);
	abort();
}

void *driver_ram(uint64_t ipa, uint64_t bytes)
{
	uint64_t offset = ipa - GUEST_RAM_IPA;
	demand(offset <= hv.boot->guest_ram_bytes && bytes <= hv.boot->guest_ram_bytes - offset, "beyond RAM");
	return (uint8_t *)(uintptr_t)hv.boot->guest_ram_pa + offset;
}

static uint16_t get_u16(uint64_t ipa)
{
	uint16_t value;
	memcpy(&value, driver_ram(ipa, sizeof(value)), sizeof(value));
	return value;
}

static void put_u16(uint64_t ipa, uint16_t value)
{
	memcpy(driver_ram(ipa, sizeof(value)), &value, sizeof(value));
}

uint32_t driver_get(const struct driver *driver, uint32_t offset)
{
	return (uint32_t)virtio_bus_read((uint64_t)driver->transport * GUEST_VIRTIO_BYTES + offset, 4);
}

void driver_set(const struct driver *driver, uint32_t offset, uint32_t value)
{
	virtio_bus_write((uint64_t)driver->transport * GUEST_VIRTIO_BYTES + offset, 4, value);
}

static void address_set(const struct driver *driver, uint32_t offset, uint64_t ipa)
{
	driver_set(driver, offset, (uint32_t)ipa);
	driver_set(driver, offset + 4, (uint32_t)(ipa >> 32));
}

uint64_t driver_bytes(uint16_t size)
{
	return (DESC_BYTES + 2 + 8) * (uint64_t)size + 32;
}

static void layout(struct driver *driver)
{
	driver->desc = driver->rings;
	driver->available = driver->desc + (uint64_t)DESC_BYTES * driver->size;
	driver->used = (driver->available + 6 + 2 * (uint64_t)driver->size + 3) & ~UINT64_C(3);
	driver->put = driver->told = driver->taken = driver->start;
	driver->free_count = driver->size;
	for (uint16_t i = 0; i < driver->size; i++)
		driver->free[i] = i;
	memset(driver_ram(driver->rings, driver_bytes(driver->size)), 0, driver_bytes(driver->size));
}

/* As if `start` requests had been made and done. */
static void indexes_begin(const struct driver *driver)
{
	struct virtqueue_state *queue = &hv.guest.virtio[driver->transport].queue[driver->queue];
	queue->next = queue->used = queue->batch_end = driver->start;
	put_u16(driver->available + 2, driver->start);
	put_u16(driver->used + 2, driver->start);
	if (driver->features & VIRTIO_F_EVENT_IDX)
		put_u16(driver->used + 4 + 8 * (uint64_t)driver->size, driver->start);
	driver_interrupt_after(driver, 1);
}

void driver_start(struct driver *driver)
{
	uint64_t features = driver->features | VIRTIO_F_VERSION_1;
	layout(driver);
	driver_set(driver, DRIVER_STATUS, 0);
	demand(driver_get(driver, DRIVER_STATUS) == 0, "a reset device has a status");
	driver_set(driver, DRIVER_STATUS, STATUS_KNOWN);
	for (uint32_t i = 0; i < 2; i++) {
		driver_set(driver, REG_DRIVER_SEL, i);
		driver_set(driver, REG_DRIVER_FEATURES, (uint32_t)(features >> 32 * i));
	}
	driver_set(driver, DRIVER_STATUS, STATUS_KNOWN | STATUS_FEATURES_OK);
	demand(driver_get(driver, DRIVER_STATUS) & STATUS_FEATURES_OK, "the features are refused");
	driver_set(driver, REG_QUEUE_SEL, driver->queue);
	demand(driver_get(driver, REG_READY) == 0, "the queue of a reset device is ready");
	driver_set(driver, DRIVER_QUEUE_SIZE, driver->size);
	address_set(driver, REG_DESC, driver->desc);
	address_set(driver, REG_AVAILABLE, driver->available);
	address_set(driver, REG_USED, driver->used);
	driver_set(driver, REG_READY, 1);
	demand(driver_get(driver, REG_READY) == 1, "the queue is not ready");
	indexes_begin(driver);
	driver_set(driver, DRIVER_STATUS, STATUS_KNOWN | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
	demand(driver_get(driver, DRIVER_INTERRUPT) == 0, "a device interrupts before it did anything");
}

static void descriptor_put(uint64_t table, uint16_t at, struct descriptor descriptor)
{
	memcpy(driver_ram(table + (uint64_t)at * DESC_BYTES, DESC_BYTES), &descriptor, DESC_BYTES);
}

static struct descriptor descriptor_of(const struct driver_segment *segment, bool last, uint16_t next)
{
	uint16_t flags = (uint16_t)((segment->writable ? DESC_WRITE : 0) | (last ? 0 : DESC_NEXT));
	return (struct descriptor){segment->ipa, segment->bytes, flags, last ? 0 : next};
}

static uint16_t chain_put(struct driver *driver, const struct driver_segment *segments, size_t count)
{
	uint16_t head = driver->free[driver->free_count - 1];
	driver->free_count = (uint16_t)(driver->free_count - count);
	for (size_t i = 0; i < count; i++) { /* the first one is the last of those that were free */
		uint16_t at = driver->free[driver->free_count + count - 1 - i];
		bool last = i + 1 == count;
		uint16_t next = last ? 0 : driver->free[driver->free_count + count - 2 - i];
		driver->held[head][i] = at;
		descriptor_put(driver->desc, at, descriptor_of(&segments[i], last, next));
	}
	driver->held_count[head] = (uint16_t)count;
	return head;
}

static uint16_t indirect_put(struct driver *driver, const struct driver_segment *segments, size_t count, uint64_t table)
{
	uint16_t head = driver->free[--driver->free_count];
	for (size_t i = 0; i < count; i++)
		descriptor_put(table, (uint16_t)i, descriptor_of(&segments[i], i + 1 == count, (uint16_t)(i + 1)));
	descriptor_put(driver->desc, head,
		       (struct descriptor){table, (uint32_t)(count * DESC_BYTES), DESC_INDIRECT, 0});
	driver->held[head][0] = head;
	driver->held_count[head] = 1;
	return head;
}

uint16_t driver_put(struct driver *driver, const struct driver_segment *segments, size_t count, uint64_t table)
{
	demand(count <= DRIVER_SEGMENTS_MAX && (table ? 1 : count) <= driver->free_count, "no room in the queue");
	uint16_t head = table ? indirect_put(driver, segments, count, table) : chain_put(driver, segments, count);
	put_u16(driver->available + 4 + 2 * (uint64_t)(driver->put % driver->size), head);
	driver->put++;
	return head;
}

void driver_kick(struct driver *driver)
{
	uint16_t event = get_u16(driver->used + 4 + 8 * (uint64_t)driver->size);
	uint16_t count = (uint16_t)(driver->put - driver->told);
	bool wanted = (uint16_t)(driver->put - event - 1) < count;
	if (!(driver->features & VIRTIO_F_EVENT_IDX))
		wanted = count != 0 && !(get_u16(driver->used) & 1);
	put_u16(driver->available + 2, driver->put);
	driver->told = driver->put;
	if (wanted)
		driver_set(driver, DRIVER_NOTIFY, driver->queue);
}

bool driver_take(struct driver *driver, uint16_t *head, uint32_t *written)
{
	uint32_t entry[2];
	uint16_t now = get_u16(driver->used + 2);
	demand((uint16_t)(now - driver->taken) <= (uint16_t)(driver->told - driver->taken),
	       "more back than there were");
	if (now == driver->taken)
		return false;
	memcpy(entry, driver_ram(driver->used + 4 + 8 * (uint64_t)(driver->taken % driver->size), 8), 8);
	demand(entry[0] < driver->size && driver->held_count[entry[0]] != 0, "a chain comes back that is not there");
	*head = (uint16_t)entry[0];
	*written = entry[1];
	driver->taken++;
	for (uint16_t i = 0; i < driver->held_count[*head]; i++)
		driver->free[driver->free_count++] = driver->held[*head][i];
	driver->held_count[*head] = 0;
	return true;
}

void driver_interrupt_after(const struct driver *driver, uint16_t count)
{
	uint16_t event = (uint16_t)(driver->taken + (count == 0 ? NEVER : count - 1));
	if (driver->features & VIRTIO_F_EVENT_IDX)
		put_u16(driver->available + 4 + 2 * (uint64_t)driver->size, event);
	else
		put_u16(driver->available, count == 0 ? NO_INTERRUPT : 0);
}
