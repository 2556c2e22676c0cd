/* Which virtio devices the user gives the guest. */
#pragma once
#include "recorder/net_options.h"
#include <stdbool.h>
#include <stddef.h>

enum { DEVICES_DISKS_MAX = 24 };

struct disk_options {
	const char *path;
	bool read_only;                     /* to the guest */
	bool write;                         /* the image gets what the guest writes and flushes */
	const char *serial, *name, *format; /* or NULL */
};

struct devices_options {
	struct disk_options disks[DEVICES_DISKS_MAX];
	size_t disk_count;
	struct net_options net;
	bool rng, no_rng; /* asked for; neither: with other devices */
};
