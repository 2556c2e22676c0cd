/* A counter has a value for each window in which its device moved something, and 0 behind it. */
#include "tools/report/perfetto_devices.h"
#include "hv/abi/event_info.h"

#include <stdio.h>

/* The device's transport; GUEST_VIRTIO_COUNT: the event is of none that the machine can have. */
static unsigned transport_of(const struct event *event)
{
	enum event_address address = event_info(event->kind)->address;
	uint64_t transport = GUEST_VIRTIO_COUNT;
	if (address == EVENT_ADDRESS_SECTOR)
		transport = event_disk(event);
	else if (address == EVENT_ADDRESS_TRANSPORT)
		transport = event->address;
	return transport < GUEST_VIRTIO_COUNT ? (unsigned)transport : GUEST_VIRTIO_COUNT;
}

unsigned perfetto_devices_tid(struct perfetto_devices *devices, struct perfetto *p, const struct event *event)
{
	unsigned transport = transport_of(event);
	char name[VIRTIO_NAME_BYTES];
	if (transport == GUEST_VIRTIO_COUNT)
		return 0;
	virtio_list_name(devices->list, transport, name);
	if (!devices->at[transport].is_named)
		perfetto_name_track(p, devices->first_tid + transport, name);
	devices->at[transport].is_named = true;
	return devices->first_tid + transport;
}

static void put_counter(const struct perfetto_devices *devices, struct perfetto *p, unsigned transport, uint64_t window,
			uint64_t in_bytes, uint64_t out_bytes)
{
	bool is_disk = devices->list->device[transport].type == VIRTIO_TYPE_BLOCK;
	char name[VIRTIO_NAME_BYTES], counter[VIRTIO_NAME_BYTES + 32];
	virtio_list_name(devices->list, transport, name);
	snprintf(counter, sizeof(counter), "%s bytes in 10 ms", name);
	perfetto_open(p, PERFETTO_COUNTER, 0);
	perfetto_us(p, "ts", window * PERFETTO_WINDOW_NS);
	json_text(p->events, "name", counter);
	perfetto_args(p);
	json_number(p->events, is_disk ? "read" : "in", in_bytes);
	json_number(p->events, is_disk ? "written" : "out", out_bytes);
	perfetto_close(p);
}

/* Writes the window at hand, and 0 for those between it and `window`. */
static void window_move(struct perfetto_devices *devices, struct perfetto *p, unsigned transport, uint64_t window)
{
	struct perfetto_device *device = &devices->at[transport];
	if (window == device->window)
		return;
	if (device->is_counted)
		put_counter(devices, p, transport, device->window, device->in_bytes, device->out_bytes);
	if (device->is_counted && window - device->window > 1)
		put_counter(devices, p, transport, device->window + 1, 0, 0);
	*device = (struct perfetto_device){.is_named = device->is_named, .window = window};
}

void perfetto_devices_count(struct perfetto_devices *devices, struct perfetto *p, const struct event_at *at)
{
	const struct event *event = &at->event;
	unsigned transport = transport_of(event);
	if (transport == GUEST_VIRTIO_COUNT || event_info(event->kind)->value != EVENT_VALUE_DATA)
		return;
	struct perfetto_device *device = &devices->at[transport];
	window_move(devices, p, transport, at->guest_ns / PERFETTO_WINDOW_NS);
	if (event->kind == EVENT_DISK_WRITE || event->kind == EVENT_PACKET_OUT)
		device->out_bytes += event_data_bytes(event);
	else
		device->in_bytes += event_data_bytes(event);
	device->is_counted = true;
}

void perfetto_devices_end(struct perfetto_devices *devices, struct perfetto *p)
{
	for (unsigned i = 0; i < GUEST_VIRTIO_COUNT; i++)
		window_move(devices, p, i, devices->at[i].window + 2);
}
