/* The MMIO transport of a virtio device, version 2 (VIRTIO 1.2, 4.2.2), and what drivers and devices agree on. An empty
 * transport is as QEMU's virt board has it: of version 1, without a device. Functions of struct virtio_state; what the
 * device does with its queues is not here. */
#pragma once
#include "hv/abi/field.h"
#include "hv/abi/guest_state.h"
#include <stdbool.h>
#include <stdint.h>

/* Feature bits: VIRTIO 1.2, 6 and 5.1.3, 5.2.3. */
#define VIRTIO_F_INDIRECT_DESC BIT(28)
#define VIRTIO_F_EVENT_IDX     BIT(29)
#define VIRTIO_F_VERSION_1     BIT(32)

enum { VIRTIO_CONFIG_BYTES = 64 };

/* What a device is. Constant while the guest runs. */
struct virtio_model {
	uint32_t type; /* enum virtio_type */
	uint32_t queue_count;
	uint64_t features;
	uint8_t config[VIRTIO_CONFIG_BYTES];
};

/* Reads or writes a register of 4 bytes, or `size` bytes of the device's configuration, at `offset` (below
 * GUEST_VIRTIO_BYTES). What is not there reads 0 and ignores writes, as QEMU has it. virtio_write returns the queue
 * that the driver notified, or -1. */
uint64_t virtio_read(const struct virtio_state *state, const struct virtio_model *model, uint32_t offset, uint8_t size);
int virtio_write(struct virtio_state *state, const struct virtio_model *model, uint32_t offset, uint8_t size,
		 uint64_t value);

/* Whether the device may use the queue: the driver is ready, and the queue is. */
bool virtio_is_live(const struct virtio_state *state, uint32_t queue);
/* The device used buffers of a queue that the driver wants to know of. */
void virtio_interrupt(struct virtio_state *state);
/* The driver broke a queue: the device does nothing more until it is reset (VIRTIO 1.2, 2.1.2). */
void virtio_break(struct virtio_state *state);
/* Its interrupt line. */
static inline bool virtio_line(const struct virtio_state *state)
{
	return state->interrupt != 0;
}
