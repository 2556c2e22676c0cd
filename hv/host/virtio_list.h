/* The guest's virtio devices as a trace's metadata has them: a line for each,
 *
 *	TRANSPORT net MAC
 *	TRANSPORT rng
 *	TRANSPORT disk SECTORS rw|ro NAME SERIAL
 *
 * with SERIAL to the end of the line, perhaps empty. */
#pragma once
#include "hv/abi/mailbox.h"
#include "hv/error/error.h"
#include <stddef.h>

enum { VIRTIO_NAME_BYTES = 32, VIRTIO_LIST_BYTES = GUEST_VIRTIO_COUNT * 128 };

struct virtio_list {
	struct hv_virtio device[GUEST_VIRTIO_COUNT];      /* by transport; of type VIRTIO_TYPE_NONE: it is empty */
	char name[GUEST_VIRTIO_COUNT][VIRTIO_NAME_BYTES]; /* of a disk: vda, or what the user called it */
};

/* Writes the list, NUL-terminated, into VIRTIO_LIST_BYTES. Cannot fail. */
void virtio_list_text(const struct virtio_list *list, char *text);
/* Its twin. False: it is no such list; error set. */
bool virtio_list_parse(const char *text, struct virtio_list *list, struct error *error);
/* Whether `name` can be a disk's: letters, digits, '.', '_' and '-'. */
bool virtio_list_name_valid(const char *name);
/* What the device at a transport is called: a disk by its name, all else "virtio3". `list` may be NULL, and `transport`
 * any number. Cannot fail. */
void virtio_list_name(const struct virtio_list *list, uint64_t transport, char name[VIRTIO_NAME_BYTES]);
/* The transport of the disk of that name; -1: there is none. */
int virtio_list_find(const struct virtio_list *list, const char *name);
