/* The text comes from a trace: nothing in it is trusted. */
#include "hv/host/virtio_list.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Cuts a number and the character that ends it off `*text`. */
static bool number_cut(const char **text, int base, char end, uint64_t *value)
{
	char *behind;
	if (!isxdigit((unsigned char)**text))
		return false;
	errno = 0;
	*value = strtoull(*text, &behind, base);
	if (errno != 0 || behind == *text || *behind != end)
		return false;
	*text = behind + (end != 0);
	return true;
}

/* Cuts off the word that stands there. */
static bool word_cut(const char **text, const char *word)
{
	size_t bytes = strlen(word);
	bool is_there = strncmp(*text, word, bytes) == 0;
	*text += is_there ? bytes : 0;
	return is_there;
}

static bool net_parse(const char *text, struct hv_virtio *device)
{
	for (unsigned i = 0; i < MAC_BYTES; i++) {
		uint64_t byte;
		if (!number_cut(&text, 16, i < MAC_BYTES - 1 ? ':' : 0, &byte) || byte > UINT8_MAX)
			return false;
		device->value |= byte << 8 * i;
	}
	device->type = VIRTIO_TYPE_NET;
	return true;
}

static bool disk_parse(const char *text, struct hv_virtio *device, char name[VIRTIO_NAME_BYTES])
{
	if (!number_cut(&text, 10, ' ', &device->value) || device->value > UINT64_MAX >> 8)
		return false;
	device->flags = word_cut(&text, "ro ") ? VIRTIO_READ_ONLY : 0;
	if (device->flags == 0 && !word_cut(&text, "rw "))
		return false;
	size_t bytes = strcspn(text, " ");
	if (bytes >= VIRTIO_NAME_BYTES)
		return false;
	memcpy(name, text, bytes);
	name[bytes] = 0;
	text += bytes + (text[bytes] == ' ');
	if (!virtio_list_name_valid(name) || strlen(text) > VIRTIO_SERIAL_BYTES)
		return false;
	device->type = VIRTIO_TYPE_BLOCK;
	memcpy(device->serial, text, strlen(text));
	return true;
}

static bool line_parse(const char *line, struct virtio_list *list)
{
	uint64_t transport;
	if (!number_cut(&line, 10, ' ', &transport) || transport >= GUEST_VIRTIO_COUNT ||
	    list->device[transport].type != VIRTIO_TYPE_NONE)
		return false;
	struct hv_virtio *device = &list->device[transport];
	if (strcmp(line, "rng") == 0)
		device->type = VIRTIO_TYPE_ENTROPY;
	else if (word_cut(&line, "net "))
		return net_parse(line, device);
	else if (word_cut(&line, "disk "))
		return disk_parse(line, device, list->name[transport]);
	return device->type != VIRTIO_TYPE_NONE;
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
