/* The guest's virtio transports: what a driver's access does, which queues it notified, and when devices are served.
 *
 * 1. A device acts where hv settles, never inside of a trap: what it takes and gives are events (notes) behind it.
 * 2. When a disk is done is a function of guest time and of the requests alone, not of the host. */
#pragma once
#include <stdint.h>

/* Call once, before the guest runs. */
void virtio_bus_init(void);

/* A driver's access at `offset` into all transports. */
uint64_t virtio_bus_read(uint64_t offset, uint8_t size);
void virtio_bus_write(uint64_t offset, uint8_t size, uint64_t value);

/* Serves the queues that were notified, and takes packets that came. */
void virtio_bus_serve(void);
/* Is done with what is due at the current guest time. */
void virtio_bus_complete(void);
