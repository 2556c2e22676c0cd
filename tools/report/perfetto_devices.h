/* A track for each of the guest's virtio devices, and a counter of what it moved. */
#pragma once
#include "hv/abi/machine.h"
#include "hv/host/virtio_list.h"
#include "replay/trace/event_stream.h"
#include "tools/report/perfetto.h"

struct perfetto_devices {
	const struct virtio_list *list; /* outlives it */
	unsigned first_tid;             /* those of GUEST_VIRTIO_COUNT tracks follow */
	struct perfetto_device {
		bool is_named;
		uint64_t window;              /* PERFETTO_WINDOW_NS of guest time, by number */
		uint64_t in_bytes, out_bytes; /* in it: to the guest, from the guest */
		bool is_counted;              /* something was, so that it has to go back to 0 */
	} at[GUEST_VIRTIO_COUNT];
};

/* The track of an event, which is named when the first one comes; 0: it is no device's. */
unsigned perfetto_devices_tid(struct perfetto_devices *devices, struct perfetto *p, const struct event *event);
/* Counts an event, which may be any, and writes the windows that are over. */
void perfetto_devices_count(struct perfetto_devices *devices, struct perfetto *p, const struct event_at *at);
/* After the last event. */
void perfetto_devices_end(struct perfetto_devices *devices, struct perfetto *p);
