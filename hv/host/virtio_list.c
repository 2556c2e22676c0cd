/* Lines are read by sscanf, and what is read is checked: the text comes from a trace. */
#include "hv/host/virtio_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAC_BYTES = 6, LINE_BYTES = 128 };

static size_t mac_put(char *text, size_t room, uint64_t mac)
{
	size_t used = 0;
	for (unsigned i = 0; i < MAC_BYTES; i++)
		used += (size_t)snprintf(text + used, room - used, "%s%02x", i > 0 ? ":" : "",
					 (unsigned)(mac >> 8 * i & 0xff));
	return used;
}

static size_t line_put(char *text, size_t room, unsigned transport, const struct virtio_list *list)
{
	const struct hv_virtio *device = &list->device[transport];
	char mac[3 * MAC_BYTES + 1];
	if (device->type == VIRTIO_TYPE_NET) {
		mac_put(mac, sizeof(mac), device->value);
		return (size_t)snprintf(text, room, "%u net %s\n", transport, mac);
	}
	if (device->type == VIRTIO_TYPE_ENTROPY)
		return (size_t)snprintf(text, room, "%u rng\n", transport);
	return (size_t)snprintf(text, room, "%u disk %" PRIu64 " %s %s %.*s\n", transport, device->value,
				device->flags & VIRTIO_READ_ONLY ? "ro" : "rw", list->name[transport],
				VIRTIO_SERIAL_BYTES, device->serial);
}

void virtio_list_text(const struct virtio_list *list, char *text)
{
	size_t used = 0;
	text[0] = 0;
	for (unsigned i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		if (list->device[i].type != VIRTIO_TYPE_NONE)
			used += line_put(text + used, VIRTIO_LIST_BYTES - used, i, list);
	}
}

bool virtio_list_name_valid(const char *name)
{
	size_t bytes = strlen(name);
	return bytes > 0 && bytes < VIRTIO_NAME_BYTES &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == bytes;
}

static bool net_parse(const char *text, struct hv_virtio *device)
{
	unsigned mac[MAC_BYTES];
	int end = 0;
	if (sscanf(text, "net %2x:%2x:%2x:%2x:%2x:%2x%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5], &end) !=
		    MAC_BYTES ||
	    text[end] != 0)
		return false;
	device->type = VIRTIO_TYPE_NET;
	for (unsigned i = 0; i < MAC_BYTES; i++)
		device->value |= (uint64_t)mac[i] << 8 * i;
	return true;
}

static bool disk_parse(const char *text, struct hv_virtio *device, char name[VIRTIO_NAME_BYTES])
{
	char mode[3];
	int end = 0;
	if (sscanf(text, "disk %" SCNu64 " %2s %31s %n", &device->value, mode, name, &end) != 3 ||
	    (strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0) || !virtio_list_name_valid(name) ||
	    device->value > UINT64_MAX >> 8 || strlen(text + end) > VIRTIO_SERIAL_BYTES)
		return false;
	device->type = VIRTIO_TYPE_BLOCK;
	device->flags = mode[1] == 'o' ? VIRTIO_READ_ONLY : 0;
	memcpy(device->serial, text + end, strlen(text + end));
	return true;
}

static bool line_parse(const char *line, struct virtio_list *list)
{
	unsigned transport;
	int end = 0;
	if (sscanf(line, "%2u %n", &transport, &end) != 1 || transport >= GUEST_VIRTIO_COUNT ||
	    list->device[transport].type != VIRTIO_TYPE_NONE)
		return false;
	struct hv_virtio *device = &list->device[transport];
	if (strcmp(line + end, "rng") == 0) {
		device->type = VIRTIO_TYPE_ENTROPY;
		return true;
	}
	return net_parse(line + end, device) || disk_parse(line + end, device, list->name[transport]);
}

bool virtio_list_parse(const char *text, struct virtio_list *list, struct error *error)
{
	memset(list, 0, sizeof(*list));
	while (*text) {
		char line[LINE_BYTES];
		size_t bytes = strcspn(text, "\n");
		if (bytes >= sizeof(line))
			return error_set(error, STATUS_FAILED, "the trace's list of devices is damaged");
		memcpy(line, text, bytes);
		line[bytes] = 0;
		if (!line_parse(line, list))
			return error_set(error, STATUS_FAILED, "the trace's list of devices is damaged: %s", line);
		text += bytes + (text[bytes] == '\n');
	}
	return true;
}

void virtio_list_name(const struct virtio_list *list, uint64_t transport, char name[VIRTIO_NAME_BYTES])
{
	if (list && transport < GUEST_VIRTIO_COUNT && list->device[transport].type == VIRTIO_TYPE_BLOCK)
		memcpy(name, list->name[transport], VIRTIO_NAME_BYTES);
	else
		snprintf(name, VIRTIO_NAME_BYTES, "virtio%" PRIu64, transport);
}

int virtio_list_find(const struct virtio_list *list, const char *name)
{
	for (int i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		if (list->device[i].type == VIRTIO_TYPE_BLOCK && strcmp(list->name[i], name) == 0)
			return i;
	}
	return -1;
}
