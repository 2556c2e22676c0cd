/* Split virtqueues as a device sees them (VIRTIO 1.2, 2.7): what the driver made available, chain by chain, and what is
 * given back. The rings and descriptors are in guest RAM, which the guest may change at any time and fill with
 * anything: each word is read once, and a queue that cannot be right is broken, which is for the caller to tell the
 * driver (DEVICE_NEEDS_RESET).
 *
 * A chain has at most VIRTQUEUE_SEGMENTS_MAX descriptors, those of an indirect table included; QEMU has the same limit.
 */
#pragma once
#include "hv/abi/guest_state.h"
#include <stdbool.h>
#include <stdint.h>

enum { VIRTQUEUE_SIZE_MAX = 256, VIRTQUEUE_SEGMENTS_MAX = 1024 };

/* One piece of a request's buffer. */
struct virtqueue_segment {
	uint64_t ipa;
	uint32_t bytes;
};

/* A request: what the device reads, then what it writes. Lengths do not overflow: a segment has less than 4 GiB. */
struct virtqueue_chain {
	uint16_t head; /* what names it in the used ring */
	uint32_t readable_count, count;
	uint64_t readable_bytes, writable_bytes;
	struct virtqueue_segment at[VIRTQUEUE_SEGMENTS_MAX];
};

/* Where in a chain the next byte is read or written. */
struct virtqueue_cursor {
	const struct virtqueue_chain *chain;
	uint32_t index, end, offset; /* segments [index, end); bytes of `index` that are done */
};

/* How many entries are available from `from` on, up to the queue's size. False: the queue is broken. */
bool virtqueue_available(const struct virtqueue_state *queue, uint16_t from, uint16_t *count);

/* Reads the chain of entry `index` of the available ring. False: it is broken. */
bool virtqueue_chain_read(const struct virtqueue_state *queue, uint64_t features, uint16_t index,
			  struct virtqueue_chain *chain);

/* The device-readable or the device-writable part, from its beginning. */
struct virtqueue_cursor virtqueue_readable(const struct virtqueue_chain *chain);
struct virtqueue_cursor virtqueue_writable(const struct virtqueue_chain *chain);
/* Moves bytes, and the cursor on. False: the part has fewer, or they are not in RAM. */
bool virtqueue_read(struct virtqueue_cursor *cursor, void *to, uint32_t bytes);
bool virtqueue_write(struct virtqueue_cursor *cursor, const void *from, uint32_t bytes);
/* Whether all that the cursor has left is in RAM. */
bool virtqueue_is_ram(struct virtqueue_cursor cursor);

/* Gives a chain back, with so many bytes written. Seen by the driver after virtqueue_publish alone. */
bool virtqueue_put(struct virtqueue_state *queue, const struct virtqueue_chain *chain, uint32_t written);
/* Shows the driver all that was put since `used_before`. *interrupts: it wants an interrupt for it. */
bool virtqueue_publish(const struct virtqueue_state *queue, uint64_t features, uint16_t used_before, bool *interrupts);
/* Asks to be notified of entries from `next` on. */
bool virtqueue_notify_from(const struct virtqueue_state *queue, uint64_t features, uint16_t next);
