/* An event of a transport that the machine does not have, which only a damaged trace holds, is not counted. */
#include "replay/trace/trace_stat_devices.h"
#include "hv/abi/event_info.h"
#include "hv/abi/mailbox.h"

/* Whether the event is a further piece of the request that the one before was of. */
static bool goes_on(const struct event *last, const struct event *event)
{
	return last->kind == event->kind && last->n == event->n && event_data_bytes(last) == HV_TRANSFER_BYTES &&
	       event_sector(event) == event_sector(last) + HV_TRANSFER_BYTES / VIRTIO_SECTOR_BYTES;
}

static void flow_add(struct trace_stat_flow *flow, bool is_new, uint64_t bytes)
{
	flow->count += is_new;
	flow->bytes += bytes;
}

static void disk_add(struct trace_stat_device *disk, const struct event *event)
{
	bool is_new = !goes_on(&disk->last, event);
	if (event->kind == EVENT_DISK_READ)
		flow_add(&disk->in, is_new, event_data_bytes(event));
	else if (event->kind == EVENT_DISK_WRITE)
		flow_add(&disk->out, is_new, event_data_bytes(event));
	else if (event->kind == EVENT_DISK_ZERO)
		flow_add(&disk->zeroed, true, event->value);
	disk->flush_count += event->kind == EVENT_DISK_FLUSH;
	disk->error_count += event->kind == EVENT_DISK_ERROR;
	disk->last = *event;
}

void trace_stat_devices_add(struct trace_stat_devices *devices, const struct event *event)
{
	enum event_address address = event_info(event->kind)->address;
	if (address == EVENT_ADDRESS_SECTOR && event_disk(event) < GUEST_VIRTIO_COUNT)
		disk_add(&devices->at[event_disk(event)], event);
	if (address != EVENT_ADDRESS_TRANSPORT || event->address >= GUEST_VIRTIO_COUNT)
		return;
	struct trace_stat_device *device = &devices->at[event->address];
	flow_add(event->kind == EVENT_PACKET_OUT ? &device->out : &device->in, true, event_data_bytes(event));
}
