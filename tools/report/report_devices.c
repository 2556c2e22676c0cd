/* Disks and network cards alone: of random bytes nobody wants a lane. */
#include "tools/report/report_devices.h"
#include "hv/abi/event_info.h"

#include <stdlib.h>

struct report_devices *report_devices_new(const struct virtio_list *list, const struct report_bins *bins,
					  struct error *error)
{
	struct report_devices *devices = calloc(1, sizeof(*devices));
	if (!devices)
		return error_set(error, STATUS_FAILED, "out of memory"), NULL;
	devices->list = list;
	devices->bins = bins;
	return devices;
}

void report_devices_add(struct report_devices *devices, const struct event *event, const struct report_place *place)
{
	bool is_packet = event->kind == EVENT_PACKET_IN || event->kind == EVENT_PACKET_OUT;
	bool is_disk = event->kind == EVENT_DISK_READ || event->kind == EVENT_DISK_WRITE;
	uint64_t transport = is_packet ? event->address : event_disk(event);
	if ((!is_packet && !is_disk) || transport >= GUEST_VIRTIO_COUNT)
		return;
	bool is_out = event->kind == EVENT_PACKET_OUT || event->kind == EVENT_DISK_WRITE;
	uint64_t *bytes = is_out ? devices->out_bytes[transport] : devices->in_bytes[transport];
	bytes[report_bins_index(devices->bins, event->n + place->idle_ns)] += event_data_bytes(event);
}

void report_devices_json(const struct report_devices *devices, struct json *json)
{
	char name[VIRTIO_NAME_BYTES];
	json_array(json, "devices");
	for (unsigned i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		uint32_t type = devices->list->device[i].type;
		if (type != VIRTIO_TYPE_BLOCK && type != VIRTIO_TYPE_NET)
			continue;
		virtio_list_name(devices->list, i, name);
		json_object(json, NULL);
		json_text(json, "name", name);
		json_bool(json, "disk", type == VIRTIO_TYPE_BLOCK);
		report_bins_sparse_json(devices->in_bytes[i], "into", json);
		report_bins_sparse_json(devices->out_bytes[i], "out", json);
		json_object_end(json);
		json_break(json);
	}
	json_array_end(json);
}
