/* 1. A block that the trace does not have is one that the guest never read: in a replay that is damage, in a diversion
 *    a failed read.
 * 2. Blocks that a diverted guest wrote are kept whole, in the order of their numbers. */
#include "replay/run/supply.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { BLOCK = TRACE_BLOCK_BYTES };

struct written {
	uint32_t disk;
	uint64_t block;
	uint8_t bytes[BLOCK];
};

struct supply {
	struct trace_reader *trace;
	struct written **written; /* sorted by disk and block */
	size_t written_count, written_room;
};

struct supply *supply_open(struct trace_reader *trace, struct error *error)
{
	struct supply *supply = calloc(1, sizeof(*supply));
	if (supply)
		supply->trace = trace;
	else
		error_set(error, STATUS_FAILED, "out of memory");
	return supply;
}

void supply_forget(struct supply *supply)
{
	for (size_t i = 0; supply && i < supply->written_count; i++)
		free(supply->written[i]);
	if (supply)
		supply->written_count = 0;
}

void supply_close(struct supply *supply)
{
	if (!supply)
		return;
	supply_forget(supply);
	free(supply->written);
	free(supply);
}

/* The first that is not before this block. */
static size_t written_find(const struct supply *supply, uint32_t disk, uint64_t block)
{
	size_t low = 0, high = supply->written_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct written *at = supply->written[middle];
		if (at->disk < disk || (at->disk == disk && at->block < block))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct written *written_get(const struct supply *supply, uint32_t disk, uint64_t block)
{
	size_t at = written_find(supply, disk, block);
	if (at == supply->written_count || supply->written[at]->disk != disk || supply->written[at]->block != block)
		return NULL;
	return supply->written[at];
}

static enum trace_found block_read(struct supply *supply, uint32_t disk, uint64_t block, uint64_t event, uint8_t *bytes,
				   struct error *error)
{
	const struct written *written = written_get(supply, disk, block);
	if (!written)
		return trace_get_block(supply->trace, disk, block, event, bytes, error);
	memcpy(bytes, written->bytes, BLOCK);
	return TRACE_FOUND;
}

/* TRACE_ABSENT: the trace does not have all of it. */
static enum trace_found sectors_read(struct supply *supply, const struct hv_ask *ask, uint64_t event, uint8_t *to,
				     struct error *error)
{
	uint64_t offset = ask->sector * VIRTIO_SECTOR_BYTES, end = offset + ask->bytes;
	enum trace_found found = TRACE_FOUND;
	while (offset < end && found == TRACE_FOUND) {
		uint8_t bytes[BLOCK];
		uint64_t start = offset % BLOCK, part = BLOCK - start < end - offset ? BLOCK - start : end - offset;
		found = block_read(supply, ask->device, offset / BLOCK, event, bytes, error);
		if (found == TRACE_FOUND)
			memcpy(to, bytes + start, part);
		to += part;
		offset += part;
	}
	return found;
}

static enum trace_found payload_read(struct supply *supply, struct hv_ask *ask, uint64_t event, uint8_t *to,
				     struct error *error)
{
	void *data = NULL;
	size_t bytes = 0;
	enum trace_found found = trace_get_payload(supply->trace, event, &data, &bytes, error);
	if (found == TRACE_FOUND && (bytes != ask->bytes || bytes > HV_TRANSFER_BYTES))
		found = TRACE_ABSENT;
	if (found == TRACE_FOUND)
		memcpy(to, data, bytes);
	free(data);
	return found;
}

static enum trace_found ask_answer(struct supply *supply, struct machine *machine, struct hv_ask *ask, uint64_t event,
				   bool diverted, struct error *error)
{
	switch (ask->kind) {
	case HV_ASK_DISK_READ:
		return sectors_read(supply, ask, event, machine->transfer, error);
	case HV_ASK_ENTROPY:
		if (!diverted)
			return payload_read(supply, ask, event, machine->transfer, error);
		return getrandom(machine->transfer, ask->bytes, 0) == (ssize_t)ask->bytes ? TRACE_FOUND : TRACE_ABSENT;
	case HV_ASK_PACKET:
		return payload_read(supply, ask, event, machine->transfer, error);
	default:
		return TRACE_FOUND;
	}
}

bool supply_answer(struct supply *supply, struct machine *machine, uint64_t event, bool diverted, struct error *error)
{
	struct hv_ask *shared = &machine->mailbox->ask, ask = *shared;
	ask.kind = __atomic_load_n(&shared->kind, __ATOMIC_ACQUIRE);
	if (ask.kind == HV_ASK_NONE)
		return true;
	if (ask.bytes > HV_TRANSFER_BYTES)
		return error_set(error, STATUS_FAILED, "the machine asks for %u bytes at once", ask.bytes);
	enum trace_found found = ask_answer(supply, machine, &ask, event, diverted, error);
	if (found == TRACE_FAILED)
		return false;
	if (found == TRACE_ABSENT && !diverted)
		return error_set(
			error, STATUS_FAILED,
			"the trace does not have what event %llu brought: it is damaged, hvrec repair may help",
			(unsigned long long)event);
	shared->failed = found == TRACE_ABSENT;
	machine_answer(machine);
	return true;
}

static struct written *written_add(struct supply *supply, uint32_t disk, uint64_t block)
{
	if (supply->written_count == supply->written_room) {
		size_t room = supply->written_room * 2 + 64;
		struct written **grown = realloc(supply->written, room * sizeof(struct written *));
		if (!grown)
			return NULL;
		supply->written = grown;
		supply->written_room = room;
	}
	struct written *written = calloc(1, sizeof(*written));
	size_t at = written_find(supply, disk, block);
	if (!written)
		return NULL;
	written->disk = disk;
	written->block = block;
	memmove(&supply->written[at + 1], &supply->written[at],
		(supply->written_count - at) * sizeof(struct written *));
	supply->written[at] = written;
	supply->written_count++;
	return written;
}

/* What a diverted guest writes: a part of one block; `data` NULL: zeroes. */
struct part {
	uint32_t disk;
	uint64_t offset, bytes;
	const uint8_t *data;
};

/* What the trace does not have of the rest is zeroes, too: the guest never looked at it. */
static bool part_write(struct supply *supply, const struct part *part, uint64_t event, struct error *error)
{
	uint64_t block = part->offset / BLOCK, start = part->offset % BLOCK;
	struct written *written = written_get(supply, part->disk, block);
	uint8_t before[BLOCK] = {0};
	if (!written && part->bytes < BLOCK &&
	    trace_get_block(supply->trace, part->disk, block, event, before, error) == TRACE_FAILED)
		return false;
	if (!written) {
		written = written_add(supply, part->disk, block);
		if (!written)
			return error_set(error, STATUS_FAILED, "out of memory");
		memcpy(written->bytes, before, BLOCK);
	}
	if (part->data)
		memcpy(written->bytes + start, part->data, part->bytes);
	else
		memset(written->bytes + start, 0, part->bytes);
	return true;
}

static bool event_take(struct supply *supply, struct machine *machine, const struct event *event, uint64_t at,
		       struct error *error)
{
	static _Thread_local uint8_t bytes[HV_TRANSFER_BYTES];
	struct part part = {.disk = event_disk(event), .offset = event_sector(event) * VIRTIO_SECTOR_BYTES};
	uint64_t left = event->value;
	if (event->kind != EVENT_DISK_ZERO) {
		left = event_data_bytes(event);
		if (left > sizeof(bytes))
			return error_set(error, STATUS_FAILED, "the machine gives out %llu bytes at once",
					 (unsigned long long)left);
		machine_output_take(machine, bytes, (uint32_t)left);
		part.data = bytes;
	}
	if (event->kind == EVENT_PACKET_OUT) /* nobody is there */
		return true;
	while (left > 0) {
		uint64_t to_end = BLOCK - part.offset % BLOCK;
		part.bytes = to_end < left ? to_end : left;
		if (!part_write(supply, &part, at, error))
			return false;
		part.data = part.data ? part.data + part.bytes : NULL;
		part.offset += part.bytes;
		left -= part.bytes;
	}
	return true;
}

bool supply_take(struct supply *supply, struct machine *machine, const struct event *events, size_t count, uint64_t at,
		 struct error *error)
{
	for (size_t i = 0; i < count; i++) {
		uint16_t kind = events[i].kind;
		if ((kind == EVENT_DISK_WRITE || kind == EVENT_DISK_ZERO || kind == EVENT_PACKET_OUT) &&
		    !event_take(supply, machine, &events[i], at, error))
			return false;
	}
	return true;
}
