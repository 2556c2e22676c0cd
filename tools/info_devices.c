/* What each type of device has: a disk its size, serial number and whether it may be written; a card its address. */
#include "tools/info_devices.h"

#include <inttypes.h>
#include <stdio.h>

enum { MAC_TEXT_BYTES = 18 };

static void mac_text(uint64_t mac, char text[MAC_TEXT_BYTES])
{
	snprintf(text, MAC_TEXT_BYTES, "%02x:%02x:%02x:%02x:%02x:%02x", (unsigned)(mac & 0xff),
		 (unsigned)(mac >> 8 & 0xff), (unsigned)(mac >> 16 & 0xff), (unsigned)(mac >> 24 & 0xff),
		 (unsigned)(mac >> 32 & 0xff), (unsigned)(mac >> 40 & 0xff));
}

static void print_disk(const char *name, unsigned transport, const struct hv_virtio *disk)
{
	printf("disk          %s (virtio%u), %" PRIu64 " bytes, %s", name, transport, disk->value * VIRTIO_SECTOR_BYTES,
	       disk->flags & VIRTIO_READ_ONLY ? "read-only" : "writable");
	if (disk->serial[0])
		printf(", serial %.*s", VIRTIO_SERIAL_BYTES, disk->serial);
	putchar('\n');
}

void info_devices_print(const struct virtio_list *list)
{
	char mac[MAC_TEXT_BYTES];
	for (unsigned i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		const struct hv_virtio *device = &list->device[i];
		if (device->type == VIRTIO_TYPE_BLOCK)
			print_disk(list->name[i], i, device);
		mac_text(device->value, mac);
		if (device->type == VIRTIO_TYPE_NET)
			printf("network card  virtio%u, %s\n", i, mac);
		if (device->type == VIRTIO_TYPE_ENTROPY)
			printf("random bytes  virtio%u\n", i);
	}
}

static void json_disk(struct json *json, const struct hv_virtio *disk)
{
	char serial[VIRTIO_SERIAL_BYTES + 1];
	snprintf(serial, sizeof(serial), "%.*s", VIRTIO_SERIAL_BYTES, disk->serial);
	json_text(json, "type", "disk");
	json_number(json, "bytes", disk->value * VIRTIO_SECTOR_BYTES);
	json_bool(json, "read_only", disk->flags & VIRTIO_READ_ONLY);
	json_text(json, "serial", serial);
}

static void json_device(struct json *json, const struct hv_virtio *device)
{
	char mac[MAC_TEXT_BYTES];
	if (device->type == VIRTIO_TYPE_BLOCK) {
		json_disk(json, device);
	} else if (device->type == VIRTIO_TYPE_NET) {
		mac_text(device->value, mac);
		json_text(json, "type", "net");
		json_text(json, "mac", mac);
	} else {
		json_text(json, "type", "rng");
	}
}

void info_devices_json(const struct virtio_list *list, struct json *json)
{
	char name[VIRTIO_NAME_BYTES];
	json_array(json, "devices");
	for (unsigned i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		if (list->device[i].type == VIRTIO_TYPE_NONE)
			continue;
		virtio_list_name(list, i, name);
		json_object(json, NULL);
		json_text(json, "name", name);
		json_number(json, "transport", i);
		json_device(json, &list->device[i]);
		json_object_end(json);
	}
	json_array_end(json);
}
