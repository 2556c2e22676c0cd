/* A driver of one virtqueue, as a careful one in a guest would be, for the tests of hv's devices: it lays its rings and
 * descriptors out in guest RAM and talks to the transport's registers. What it finds against the specification (VIRTIO
 * 1.2, 2.7) ends the program. */
#pragma once
#include "hv/core/hv.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DRIVER_QUEUE_MAX = 256, DRIVER_SEGMENTS_MAX = 64, DRIVER_DESCRIPTOR_BYTES = 16 };

/* What the driver is, chosen before driver_start. */
struct driver {
	uint32_t transport, queue;
	uint16_t size;     /* of the queue */
	uint64_t features; /* beside VERSION_1 */
	uint16_t start;    /* the indexes begin here, as if so many requests had been made before */
	uint64_t rings;    /* where they go in RAM */

	/* its own */
	uint64_t desc, available, used;
	uint16_t put, told, taken;       /* of the available ring, and what the device was told of; of the used ring */
	uint16_t free[DRIVER_QUEUE_MAX]; /* descriptors */
	uint16_t free_count;
	uint16_t held[DRIVER_QUEUE_MAX][DRIVER_SEGMENTS_MAX]; /* by head: the descriptors of its chain */
	uint16_t held_count[DRIVER_QUEUE_MAX];
};

struct driver_segment {
	uint64_t ipa;
	uint32_t bytes;
	bool writable;
};

/* The transport's registers. */
uint32_t driver_get(const struct driver *driver, uint32_t offset);
void driver_set(const struct driver *driver, uint32_t offset, uint32_t value);
enum {
	DRIVER_QUEUE_SIZE = 0x38,
	DRIVER_NOTIFY = 0x50,
	DRIVER_INTERRUPT = 0x60,
	DRIVER_ACK = 0x64,
	DRIVER_STATUS = 0x70
};

/* Bytes that the rings of a queue of this size take. */
uint64_t driver_bytes(uint16_t size);
/* Resets the device, and sets it up. */
void driver_start(struct driver *driver);
/* Puts a chain into the available ring, which the device is not told of yet. `table`: where an indirect table of it
 * goes, of DRIVER_DESCRIPTOR_BYTES for each segment; 0: it takes descriptors of the queue, of which so many are to be
 * free. Returns its head. */
uint16_t driver_put(struct driver *driver, const struct driver_segment *segments, size_t count, uint64_t table);
/* Makes available what was put, and notifies the device if it wants that. */
void driver_kick(struct driver *driver);
/* The next chain that came back. False: there is none. */
bool driver_take(struct driver *driver, uint16_t *head, uint32_t *written);
/* The device is to interrupt when `count` more chains have come back, or never, for 0; without EVENT_IDX at each. */
void driver_interrupt_after(const struct driver *driver, uint16_t count);

/* Guest RAM; ends the program where there is none. */
void *driver_ram(uint64_t ipa, uint64_t bytes);
