/* A table for each type of device; its columns are what such a device does. */
#include "tools/stat_devices.h"

#include <inttypes.h>
#include <stdio.h>

/* Whether the guest has a device of the type. */
static bool has_type(const struct trace_stat *stat, enum virtio_type type)
{
	for (unsigned i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		if (stat->device_list.device[i].type == (uint32_t)type)
			return true;
	}
	return false;
}

static void print_disk(const char *name, const struct trace_stat_device *disk)
{
	printf("  %-18s %10" PRIu64 " %14" PRIu64 " %10" PRIu64 " %14" PRIu64 " %14" PRIu64 " %8" PRIu64 " %8" PRIu64
	       "\n",
	       name, disk->in.count, disk->in.bytes, disk->out.count, disk->out.bytes, disk->zeroed.bytes,
	       disk->flush_count, disk->error_count);
}

static void print_net(const char *name, const struct trace_stat_device *net)
{
	printf("  %-18s %10" PRIu64 " %14" PRIu64 " %10" PRIu64 " %14" PRIu64 "\n", name, net->in.count, net->in.bytes,
	       net->out.count, net->out.bytes);
}

static void print_entropy(const char *name, const struct trace_stat_device *rng)
{
	printf("  %-18s %10" PRIu64 " %14" PRIu64 "\n", name, rng->in.count, rng->in.bytes);
}

static void print_all(const struct trace_stat *stat, enum virtio_type type,
		      void (*print)(const char *name, const struct trace_stat_device *device))
{
	char name[VIRTIO_NAME_BYTES];
	for (unsigned i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		if (stat->device_list.device[i].type != (uint32_t)type)
			continue;
		virtio_list_name(&stat->device_list, i, name);
		print(name, &stat->devices.at[i]);
	}
}

void stat_devices_print(const struct trace_stat *stat)
{
	if (has_type(stat, VIRTIO_TYPE_BLOCK))
		printf("\n  %-18s %10s %14s %10s %14s %14s %8s %8s\n", "disk", "reads", "bytes", "writes", "bytes",
		       "zeroed bytes", "flushes", "errors");
	print_all(stat, VIRTIO_TYPE_BLOCK, print_disk);
	if (has_type(stat, VIRTIO_TYPE_NET))
		printf("\n  %-18s %10s %14s %10s %14s\n", "network card", "packets in", "bytes", "out", "bytes");
	print_all(stat, VIRTIO_TYPE_NET, print_net);
	if (has_type(stat, VIRTIO_TYPE_ENTROPY))
		printf("\n  %-18s %10s %14s\n", "random bytes", "requests", "bytes");
	print_all(stat, VIRTIO_TYPE_ENTROPY, print_entropy);
}

void stat_devices_print_bytes(const struct trace_stat *stat)
{
	const struct trace_totals *totals = &stat->totals;
	if (totals->block_count > 0)
		printf("blocks    %" PRIu64 " of disks with %" PRIu64 " different contents: %" PRIu64 " bytes\n",
		       totals->block_count, totals->block_content_count, totals->block_stored_bytes);
	if (totals->payload_count > 0)
		printf("payloads  %" PRIu64 " of packets and random bytes: %" PRIu64 " bytes\n", totals->payload_count,
		       totals->payload_stored_bytes);
}
