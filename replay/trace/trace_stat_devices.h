/* What the guest's virtio devices did, in numbers. */
#pragma once
#include "hv/abi/event.h"
#include "hv/abi/machine.h"

/* One way of a disk's or a network card's data. */
struct trace_stat_flow {
	uint64_t count; /* requests, packets */
	uint64_t bytes;
};

struct trace_stat_device {
	struct trace_stat_flow in;     /* to the guest: read from a disk, packets, random bytes */
	struct trace_stat_flow out;    /* from the guest: written to a disk, packets */
	struct trace_stat_flow zeroed; /* of a disk: set to zero, or discarded, by segment */
	uint64_t flush_count, error_count;
	struct event last; /* of this device */
};

struct trace_stat_devices {
	struct trace_stat_device at[GUEST_VIRTIO_COUNT]; /* by transport */
};

/* The next event, which may be any. A request that is done in pieces counts once; two of them of full pieces that
 * follow one another on the disk in one batch cannot be told from one. Cannot fail. */
void trace_stat_devices_add(struct trace_stat_devices *devices, const struct event *event);
