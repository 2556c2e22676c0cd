/* 1. Bytes that events gave out come out of the output ring in the order of the events.
 * 2. What the trace needs of an event is given to the writer before the event, so that no commit has the event alone.
 * 3. hv stands still while it asks, so the event that an answer leads to is the next one.
 * 4. What hv says is looked at once, and checked: a guest may have taken the machine over. */
#include "recorder/devices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static bool blocks_tell(void *context, uint64_t first, uint64_t count, uint64_t event, const uint8_t *bytes)
{
	const struct devices_disk *disk = context;
	return writer_give_blocks(disk->devices->writer, disk->transport, first, count, event, bytes);
}

static void disk_name(char name[VIRTIO_NAME_BYTES], const struct disk_options *options, size_t index)
{
	if (options->name)
		snprintf(name, VIRTIO_NAME_BYTES, "%s", options->name);
	else
		snprintf(name, VIRTIO_NAME_BYTES, "vd%c", (char)('a' + (char)index));
}

static bool disk_add(struct devices *devices, const struct disk_options *options, size_t index, const char *folder,
		     struct error *error)
{
	struct hv_virtio *device = &devices->list.device[index];
	char name[VIRTIO_NAME_BYTES];
	disk_name(name, options, index);
	if (virtio_list_find(&devices->list, name) >= 0)
		return error_set(error, STATUS_FAILED, "--disk: two disks are called %s", name);
	devices->disks[index] = disk_open(options, folder, error);
	if (!devices->disks[index])
		return false;
	devices->tellings[index] = (struct devices_disk){devices, (uint32_t)index};
	disk_listen(devices->disks[index], blocks_tell, &devices->tellings[index]);
	device->type = VIRTIO_TYPE_BLOCK;
	device->flags = options->read_only ? VIRTIO_READ_ONLY : 0;
	device->value = disk_bytes(devices->disks[index]) / VIRTIO_SECTOR_BYTES;
	memcpy(devices->list.name[index], name, sizeof(name));
	if (options->serial)
		memcpy(device->serial, options->serial, strlen(options->serial));
	return true;
}

bool devices_open(struct devices *devices, const struct devices_options *options, const char *trace,
		  struct error *error)
{
	const char *slash = strrchr(trace, '/');
	char *folder = slash ? strndup(trace, (size_t)(slash - trace) + 1) : strdup(".");
	bool good = folder || error_set(error, STATUS_FAILED, "out of memory");
	size_t used = options->disk_count;
	for (size_t i = 0; good && i < options->disk_count; i++)
		good = disk_add(devices, &options->disks[i], i, folder, error);
	if (good && options->net.user) {
		devices->list.device[used++] = (struct hv_virtio){.type = VIRTIO_TYPE_NET, .value = NET_MAC};
		devices->net = net_open(&options->net, error);
		good = devices->net;
	}
	if (good && (used > 0 || options->rng) && !options->no_rng)
		devices->list.device[used].type = VIRTIO_TYPE_ENTROPY;
	free(folder);
	return good;
}

bool devices_keep(const struct devices *devices, struct trace_writer *trace, struct error *error)
{
	char text[VIRTIO_LIST_BYTES];
	virtio_list_text(&devices->list, text);
	return *text == 0 || trace_put_text(trace, TRACE_META_DEVICES, text, error);
}

void devices_start(struct devices *devices, struct machine *machine, struct writer *writer)
{
	devices->machine = machine;
	devices->writer = writer;
	if (devices->net)
		net_start(devices->net, machine);
}

void devices_poll(struct devices *devices, struct pollfd *fds, size_t count, int timeout_ms)
{
	if (devices->net)
		net_poll(devices->net, fds, count, timeout_ms);
	else
		poll(fds, count, timeout_ms);
}

/* The disk that these bytes are of; NULL: there is none. */
static struct disk *disk_with(const struct devices *devices, uint32_t transport, uint64_t sector, uint64_t bytes)
{
	struct disk *disk = transport < GUEST_VIRTIO_COUNT ? devices->disks[transport] : NULL;
	uint64_t sectors = disk ? disk_bytes(disk) / VIRTIO_SECTOR_BYTES : 0;
	bool inside = sector <= sectors && bytes <= (sectors - sector) * VIRTIO_SECTOR_BYTES;
	return inside ? disk : NULL;
}

static bool disk_event(struct devices *devices, const struct event *shared, uint64_t number)
{
	static uint8_t bytes[HV_TRANSFER_BYTES];
	const struct event event = *shared;
	bool is_write = event.kind == EVENT_DISK_WRITE;
	uint64_t offset = event_sector(&event) * VIRTIO_SECTOR_BYTES;
	uint64_t count = is_write ? event_data_bytes(&event) : event.value;
	struct disk *disk = disk_with(devices, event_disk(&event), event_sector(&event), count);
	const uint8_t *from = is_write ? bytes : NULL;
	if (!disk || (is_write && count > sizeof(bytes)))
		return error_set(&devices->failure, STATUS_FAILED, "the machine writes where there is no disk");
	if (is_write)
		machine_output_take(devices->machine, bytes, (uint32_t)count);
	return disk_write(disk, number, offset, from, count, &devices->failure);
}

static bool out_of_memory(struct devices *devices)
{
	return error_set(&devices->failure, STATUS_FAILED, "out of memory");
}

static bool packet_out(struct devices *devices, const struct event *event, uint64_t number)
{
	static uint8_t bytes[HV_PACKET_BYTES_MAX];
	uint32_t count = event_data_bytes(event);
	if (!devices->net || count > sizeof(bytes))
		return error_set(&devices->failure, STATUS_FAILED, "the machine sends what is no packet");
	machine_output_take(devices->machine, bytes, count);
	if (!writer_give_payload(devices->writer, number, bytes, count))
		return out_of_memory(devices);
	net_send(devices->net, bytes, count);
	return true;
}

static bool packet_in(struct devices *devices, const struct event *event, uint64_t number)
{
	size_t count = 0;
	const uint8_t *packet = devices->net ? net_taken(devices->net, &count) : NULL;
	if (!packet || count != event_data_bytes(event))
		return error_set(&devices->failure, STATUS_FAILED, "the machine took a packet that there is not");
	bool good = writer_give_payload(devices->writer, number, packet, count);
	net_drop(devices->net);
	return good || out_of_memory(devices);
}

static bool event_see(struct devices *devices, const struct event *event, uint64_t number)
{
	if (event->kind == EVENT_PACKET_OUT)
		return packet_out(devices, event, number);
	if (event->kind == EVENT_PACKET_IN)
		return packet_in(devices, event, number);
	return disk_event(devices, event, number);
}

static bool moves_data(const struct event *event)
{
	return event->kind == EVENT_DISK_WRITE || event->kind == EVENT_DISK_ZERO || event->kind == EVENT_PACKET_OUT ||
	       event->kind == EVENT_PACKET_IN;
}

size_t devices_see(struct devices *devices, const struct event *events, size_t count, uint64_t first)
{
	for (size_t i = 0; i < count; i++) {
		if (!moves_data(&events[i]))
			continue;
		if (!writer_has_room_for_data(devices->writer) || devices->failure.status != STATUS_OK ||
		    !event_see(devices, &events[i], first + i))
			return i;
	}
	return count;
}

bool devices_healthy(const struct devices *devices, struct error *error)
{
	const struct error *failure = &devices->failure;
	if (failure->status != STATUS_OK)
		return error_set(error, failure->status, "%s", failure->text);
	return !devices->net || net_healthy(devices->net, error);
}

/* The trace has the bytes that are drawn here, not those that stand in the shared memory afterwards. */
static bool random_give(struct devices *devices, uint8_t *transfer, uint32_t count)
{
	static uint8_t bytes[HV_TRANSFER_BYTES];
	if (getrandom(bytes, count, 0) != (ssize_t)count ||
	    !writer_give_payload(devices->writer, devices->machine->mailbox->event_head, bytes, count))
		return false;
	memcpy(transfer, bytes, count);
	return true;
}

/* The trace has the bytes that were read here, not those that stand in the shared memory afterwards. */
static bool disk_sectors(struct disk *disk, const struct hv_ask *ask, uint8_t *transfer, struct error *error)
{
	static uint8_t bytes[HV_TRANSFER_BYTES];
	if (!disk_read(disk, ask->sector * VIRTIO_SECTOR_BYTES, bytes, ask->bytes, error))
		return false;
	memcpy(transfer, bytes, ask->bytes);
	return true;
}

/* An error that the guest sees, and the user, once for each cause. */
static void disk_failed(struct devices *devices, const struct error *error)
{
	if (strcmp(devices->warned.text, error->text) != 0)
		fprintf(stderr, "hvrec: warning: %s\n", error->text);
	devices->warned = *error;
}

static bool answer(struct devices *devices, const struct hv_ask *ask)
{
	struct error error = {.status = STATUS_OK};
	struct disk *disk = disk_with(devices, ask->device, ask->sector, ask->bytes);
	uint8_t *transfer = devices->machine->transfer;
	bool good = ask->bytes <= HV_TRANSFER_BYTES;
	switch (good ? ask->kind : HV_ASK_NONE) {
	case HV_ASK_DISK_READ:
		good = disk && disk_sectors(disk, ask, transfer, &error);
		break;
	case HV_ASK_DISK_FLUSH:
		good = disk && disk_flush(disk, &error);
		break;
	case HV_ASK_ENTROPY:
		good = random_give(devices, transfer, ask->bytes);
		break;
	default:
		break;
	}
	if (!good)
		disk_failed(devices, &error);
	return good;
}

void devices_answer(struct devices *devices)
{
	struct hv_ask *shared = &devices->machine->mailbox->ask;
	if (!machine_asks(devices->machine) || !writer_has_room_for_data(devices->writer))
		return;
	struct hv_ask ask = *shared;
	shared->failed = !answer(devices, &ask);
	machine_answer(devices->machine);
}

void devices_release(struct devices *devices)
{
	if (devices->net)
		net_release(devices->net);
}

bool devices_flush(struct devices *devices, struct error *error)
{
	for (unsigned i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		if (devices->disks[i] && !disk_flush(devices->disks[i], error))
			return false;
	}
	return true;
}

void devices_close(struct devices *devices)
{
	for (unsigned i = 0; i < GUEST_VIRTIO_COUNT; i++)
		disk_close(devices->disks[i]);
	net_close(devices->net);
	memset(devices, 0, sizeof(*devices));
}
