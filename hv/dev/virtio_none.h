/* The virt board's virtio-mmio transports with nothing plugged in (GUEST_VIRTIO_COUNT of them): a guest probes them,
 * sees device id 0 and leaves them alone. They have no state; writes are ignored and no interrupt is ever raised.
 * Called by hv's device dispatch. */
#pragma once
#include <stdint.h>

/* Reads the register at `offset` (bytes into one transport, below GUEST_VIRTIO_BYTES): the magic, the version (1:
 * legacy, QEMU's default) and the vendor as QEMU's hw/virtio/virtio-mmio.c has them without a backend, and 0 everywhere
 * else. Cannot fail. Source: Virtio 1.2, 4.2.2 and 4.2.4. */
uint64_t virtio_none_read(uint32_t offset);
