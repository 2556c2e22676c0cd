/* What the guest's virtio devices have in common: their state, their queues, interrupts, and when they are due. The
 * devices themselves are files of their own (disk.c, net.c, entropy.c), which virtio_bus.c calls. */
#pragma once
#include "hv/abi/mailbox.h"
#include "hv/abi/types.h"
#include "hv/dev/virtio.h"
#include "hv/dev/virtqueue.h"
#include <stdbool.h>

struct virtio_state *virtio_device_state(uint32_t transport);
const struct hv_virtio *virtio_device_config(uint32_t transport);

/* Sets the device's interrupt line as its state has it. */
void virtio_device_line(uint32_t transport);

/* Takes the chain at the queue's `next` and moves that on. NULL: there is none, or the queue is broken, of which the
 * driver is told. Valid until the next call. */
const struct virtqueue_chain *virtio_device_take(uint32_t transport, uint32_t queue);
/* Gives the chain back with so many bytes written. */
void virtio_device_give(uint32_t transport, uint32_t queue, const struct virtqueue_chain *chain, uint32_t written);
/* Shows the driver what was given back since the queue's used index was `before`, with an interrupt if it wants one;
 * asks to be notified of what comes next. */
void virtio_device_show(uint32_t transport, uint32_t queue, uint16_t before);
/* The driver did what cannot be: the device waits for its reset. */
void virtio_device_break(uint32_t transport);
/* Whether the driver has made something available. */
bool virtio_device_has_work(uint32_t transport, uint32_t queue);

/* 32 bits of a hash over what a device moved. */
uint32_t virtio_device_check(const void *bytes, uint32_t count);

/* Guest time (ns) when the first device is done with something; `wakes`: of those that wake an idle guest then.
 * UINT64_MAX: none is. */
ns_t virtio_device_deadline(bool wakes);

/* Whether a network card's driver takes packets; and whether there is room for one now. */
bool virtio_device_has_network(void);
bool virtio_device_wants_packet(void);
