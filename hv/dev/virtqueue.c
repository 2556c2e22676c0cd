/* The rings' layout: VIRTIO 1.2, 2.7.5 to 2.7.10. All of it is little-endian, as hv is. */
#include "hv/dev/virtqueue.h"
#include "hv/dev/dma.h"
#include "hv/dev/virtio.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { AVAIL_NO_INTERRUPT = 1 };
enum { DESC_BYTES = 16, AVAIL_ENTRIES = 4, USED_ENTRIES = 4, USED_BYTES = 8 };

struct descriptor {
	uint64_t ipa;
	uint32_t bytes;
	uint16_t flags, next;
};

/* A descriptor table: the queue's own, or an indirect one. */
struct table {
	uint64_t ipa;
	uint32_t count;
};

static bool read_u16(uint64_t ipa, uint16_t *value)
{
	return dma_read((ipa_t){ipa}, value, sizeof(*value));
}

static uint64_t avail_entry(const struct virtqueue_state *queue, uint16_t index)
{
	return queue->driver + AVAIL_ENTRIES + 2 * (uint64_t)(index % queue->size);
}

static uint64_t used_entry(const struct virtqueue_state *queue, uint16_t index)
{
	return queue->device + USED_ENTRIES + USED_BYTES * (uint64_t)(index % queue->size);
}

/* used_event stands behind the available ring, avail_event behind the used ring. */
static uint64_t used_event(const struct virtqueue_state *queue)
{
	return queue->driver + AVAIL_ENTRIES + 2 * (uint64_t)queue->size;
}

static uint64_t avail_event(const struct virtqueue_state *queue)
{
	return queue->device + USED_ENTRIES + USED_BYTES * (uint64_t)queue->size;
}

bool virtqueue_available(const struct virtqueue_state *queue, uint16_t from, uint16_t *count)
{
	uint16_t index;
	*count = 0;
	if (!read_u16(queue->driver + 2, &index))
		return false;
	*count = (uint16_t)(index - from);
	return *count <= queue->size;
}

static bool segment_add(struct virtqueue_chain *chain, const struct descriptor *descriptor)
{
	bool writable = descriptor->flags & DESC_WRITE;
	if (chain->count == VIRTQUEUE_SEGMENTS_MAX || (!writable && chain->readable_count != chain->count))
		return false; /* readable ones come first (2.7.4.2) */
	chain->at[chain->count++] = (struct virtqueue_segment){descriptor->ipa, descriptor->bytes};
	if (writable) {
		chain->writable_bytes += descriptor->bytes;
	} else {
		chain->readable_bytes += descriptor->bytes;
		chain->readable_count = chain->count;
	}
	return true;
}

static bool descriptor_read(const struct table *table, uint32_t index, struct descriptor *descriptor)
{
	return index < table->count &&
	       dma_read((ipa_t){table->ipa + (uint64_t)index * DESC_BYTES}, descriptor, sizeof(*descriptor));
}

/* The table that an indirect descriptor names; it may not have another one in it (2.7.5.3.1). */
static bool indirect_enter(struct table *table, const struct descriptor *descriptor, uint64_t features)
{
	if (!(features & VIRTIO_F_INDIRECT_DESC) || descriptor->bytes == 0 || descriptor->bytes % DESC_BYTES != 0 ||
	    (descriptor->flags & DESC_NEXT))
		return false;
	*table = (struct table){descriptor->ipa, descriptor->bytes / DESC_BYTES};
	return true;
}

bool virtqueue_chain_read(const struct virtqueue_state *queue, uint64_t features, uint16_t index,
			  struct virtqueue_chain *chain)
{
	struct table table = {queue->desc, queue->size};
	struct descriptor descriptor;
	bool indirect = false;
	chain->readable_count = chain->count = 0;
	chain->readable_bytes = chain->writable_bytes = 0;
	if (!read_u16(avail_entry(queue, index), &chain->head))
		return false;
	uint32_t at = chain->head;
	for (;;) {
		if (!descriptor_read(&table, at, &descriptor))
			return false;
		if (descriptor.flags & DESC_INDIRECT) {
			if (indirect || !indirect_enter(&table, &descriptor, features))
				return false;
			indirect = true;
			at = 0;
			continue;
		}
		if (!segment_add(chain, &descriptor)) /* of a chain that runs in a circle, too */
			return false;
		if (!(descriptor.flags & DESC_NEXT))
			return true;
		at = descriptor.next;
	}
}

struct virtqueue_cursor virtqueue_readable(const struct virtqueue_chain *chain)
{
	return (struct virtqueue_cursor){chain, 0, chain->readable_count, 0};
}

struct virtqueue_cursor virtqueue_writable(const struct virtqueue_chain *chain)
{
	return (struct virtqueue_cursor){chain, chain->readable_count, chain->count, 0};
}

/* The next bytes that stand together, up to `bytes`; 0: there are none. */
static uint32_t piece(struct virtqueue_cursor *cursor, uint32_t bytes, ipa_t *ipa)
{
	while (cursor->index < cursor->end && cursor->offset == cursor->chain->at[cursor->index].bytes) {
		cursor->index++;
		cursor->offset = 0;
	}
	if (cursor->index == cursor->end)
		return 0;
	const struct virtqueue_segment *segment = &cursor->chain->at[cursor->index];
	uint32_t left = segment->bytes - cursor->offset;
	*ipa = (ipa_t){segment->ipa + cursor->offset};
	return left < bytes ? left : bytes;
}

bool virtqueue_read(struct virtqueue_cursor *cursor, void *to, uint32_t bytes)
{
	for (uint32_t done = 0, count; done < bytes; done += count) {
		ipa_t ipa;
		count = piece(cursor, bytes - done, &ipa);
		if (count == 0 || !dma_read(ipa, (uint8_t *)to + done, count))
			return false;
		cursor->offset += count;
	}
	return true;
}

bool virtqueue_write(struct virtqueue_cursor *cursor, const void *from, uint32_t bytes)
{
	for (uint32_t done = 0, count; done < bytes; done += count) {
		ipa_t ipa;
		count = piece(cursor, bytes - done, &ipa);
		if (count == 0 || !dma_write(ipa, (const uint8_t *)from + done, count))
			return false;
		cursor->offset += count;
	}
	return true;
}

bool virtqueue_is_ram(struct virtqueue_cursor cursor)
{
	ipa_t ipa;
	for (uint32_t count; (count = piece(&cursor, UINT32_MAX, &ipa)) != 0; cursor.offset += count) {
		if (!dma_is_ram(ipa, count))
			return false;
	}
	return true;
}

bool virtqueue_put(struct virtqueue_state *queue, const struct virtqueue_chain *chain, uint32_t written)
{
	const uint32_t entry[2] = {chain->head, written};
	if (!dma_write((ipa_t){used_entry(queue, queue->used)}, entry, sizeof(entry)))
		return false;
	queue->used++;
	return true;
}

/* Whether the driver wants an interrupt for the entries [before, now) (2.7.7.2, 2.7.10). */
static bool interrupt_wanted(const struct virtqueue_state *queue, uint64_t features, uint16_t before, bool *wanted)
{
	uint16_t word;
	if (features & VIRTIO_F_EVENT_IDX) {
		if (!read_u16(used_event(queue), &word))
			return false;
		*wanted = (uint16_t)(queue->used - word - 1) < (uint16_t)(queue->used - before);
		return true;
	}
	if (!read_u16(queue->driver, &word))
		return false;
	*wanted = !(word & AVAIL_NO_INTERRUPT);
	return true;
}

bool virtqueue_publish(const struct virtqueue_state *queue, uint64_t features, uint16_t used_before, bool *interrupts)
{
	*interrupts = false;
	if (queue->used == used_before)
		return true;
	return dma_write((ipa_t){queue->device + 2}, &queue->used, sizeof(queue->used)) &&
	       interrupt_wanted(queue, features, used_before, interrupts);
}

bool virtqueue_notify_from(const struct virtqueue_state *queue, uint64_t features, uint16_t next)
{
	return !(features & VIRTIO_F_EVENT_IDX) || dma_write((ipa_t){avail_event(queue)}, &next, sizeof(next));
}
