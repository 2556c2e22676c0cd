/* What each disk and network card moved, for the page: bytes in the bins of the timeline. */
#pragma once
#include "hv/host/virtio_list.h"
#include "tools/report/report_bins.h"

struct report_devices {
	const struct virtio_list *list;
	const struct report_bins *bins;                          /* theirs is the time that a bin takes */
	uint64_t in_bytes[GUEST_VIRTIO_COUNT][REPORT_BIN_COUNT]; /* to the guest */
	uint64_t out_bytes[GUEST_VIRTIO_COUNT][REPORT_BIN_COUNT];
};

/* Both must outlive it; the caller frees it. NULL: out of memory, error set. */
struct report_devices *report_devices_new(const struct virtio_list *list, const struct report_bins *bins,
					  struct error *error);
/* Counts an event, which may be any. Cannot fail. */
void report_devices_add(struct report_devices *devices, const struct event *event, const struct report_place *place);
/* Writes them as one JSON array. */
void report_devices_json(const struct report_devices *devices, struct json *json);
