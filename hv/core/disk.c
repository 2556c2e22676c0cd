/* A disk works on one batch at a time: all requests that are available when it begins. It does them when the batch's
 * guest time has passed, so a batch takes as long as its requests say, however fast the host is, and what the state
 * holds of it is two numbers. Requests that come meanwhile are the next batch.
 *
 * 1. A request is done in pieces of up to HV_TRANSFER_BYTES, each an event.
 * 2. What is read has no check in its event: the trace's own checksums guard it, and hv's time is dear.
 * 3. Descriptors are read twice: for the batch's time, and when the request is done. What counts is the second. */
#include "hv/core/disk.h"
#include "hv/arch/hot.h"
#include "hv/core/gate.h"
#include "hv/core/hv.h"
#include "hv/dev/dma.h"

/* VIRTIO 1.2, 5.2.3. */
#define FEATURE_SEG_MAX      BIT(2)
#define FEATURE_READ_ONLY    BIT(5)
#define FEATURE_BLOCK_SIZE   BIT(6)
#define FEATURE_FLUSH        BIT(9)
#define FEATURE_DISCARD      BIT(13)
#define FEATURE_WRITE_ZEROES BIT(14)

/* struct virtio_blk_config, 5.2.4. */
enum {
	CONFIG_CAPACITY = 0,
	CONFIG_SEG_MAX = 12,
	CONFIG_BLOCK_SIZE = 20,
	CONFIG_MAX_DISCARD_SECTORS = 36,
	CONFIG_MAX_DISCARD_SEG = 40,
	CONFIG_DISCARD_ALIGNMENT = 44,
	CONFIG_MAX_ZEROES_SECTORS = 48,
	CONFIG_MAX_ZEROES_SEG = 52,
	CONFIG_ZEROES_MAY_UNMAP = 56,
};

enum {
	REQUEST_IN = 0,
	REQUEST_OUT = 1,
	REQUEST_FLUSH = 4,
	REQUEST_GET_ID = 8,
	REQUEST_DISCARD = 11,
	REQUEST_WRITE_ZEROES = 13,
};
enum { FLAG_UNMAP = 1 }; /* of a zero_segment */
enum { DONE_OK = 0, DONE_IO_ERROR = 1, DONE_UNSUPPORTED = 2 };
enum { SEG_MAX = 254, ZERO_SECTORS_MAX = 1 << 21, ZERO_SEGMENTS_MAX = 16, QUEUE = 0 };

/* What a request takes in guest time: a good solid-state disk. */
#define LATENCY_NS   UINT64_C(40000)
#define BYTES_PER_NS 2

struct request {
	uint32_t type, reserved;
	uint64_t sector;
};

/* A part of the disk to be zeroes (5.2.6, struct virtio_blk_discard_write_zeroes). */
struct zero_segment {
	uint64_t sector;
	uint32_t sectors, flags;
};

/* A request on its way. */
struct work {
	uint32_t transport;
	struct request request;
	const struct virtqueue_chain *chain;
	struct virtqueue_cursor in, out; /* what the device reads, behind the header; what it writes */
	uint64_t bytes;                  /* of data */
	uint32_t written;
};

static void config_put(struct virtio_model *model, uint32_t at, uint64_t value, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++)
		model->config[at + i] = (uint8_t)(value >> 8 * i);
}

void disk_model(struct virtio_model *model, const struct hv_virtio *config)
{
	bool read_only = config->flags & VIRTIO_READ_ONLY;
	model->queue_count = 1;
	model->features |= FEATURE_SEG_MAX | FEATURE_BLOCK_SIZE | FEATURE_FLUSH;
	model->features |= read_only ? FEATURE_READ_ONLY : FEATURE_DISCARD | FEATURE_WRITE_ZEROES;
	config_put(model, CONFIG_CAPACITY, config->value, 8);
	config_put(model, CONFIG_SEG_MAX, SEG_MAX, 4);
	config_put(model, CONFIG_BLOCK_SIZE, VIRTIO_SECTOR_BYTES, 4);
	config_put(model, CONFIG_MAX_DISCARD_SECTORS, ZERO_SECTORS_MAX, 4);
	config_put(model, CONFIG_MAX_DISCARD_SEG, ZERO_SEGMENTS_MAX, 4);
	config_put(model, CONFIG_DISCARD_ALIGNMENT, 8, 4);
	config_put(model, CONFIG_MAX_ZEROES_SECTORS, ZERO_SECTORS_MAX, 4);
	config_put(model, CONFIG_MAX_ZEROES_SEG, ZERO_SEGMENTS_MAX, 4);
	config_put(model, CONFIG_ZEROES_MAY_UNMAP, 1, 1);
}

/* How many bytes the batch [next, end) moves. False: the queue is broken. */
static bool batch_bytes(const struct virtio_state *state, uint16_t end, uint64_t *bytes)
{
	static struct virtqueue_chain chain;
	const struct virtqueue_state *queue = &state->queue[QUEUE];
	*bytes = 0;
	for (uint16_t i = queue->next; i != end; i++) {
		if (!virtqueue_chain_read(queue, state->driver_features, i, &chain))
			return false;
		*bytes += chain.readable_bytes + chain.writable_bytes;
	}
	return true;
}

static void batch_begin(uint32_t transport)
{
	struct virtio_state *state = virtio_device_state(transport);
	struct virtqueue_state *queue = &state->queue[QUEUE];
	uint16_t count;
	uint64_t bytes = 0;
	if (!virtio_is_live(state, QUEUE))
		return;
	if (!virtqueue_available(queue, queue->next, &count) ||
	    !batch_bytes(state, (uint16_t)(queue->next + count), &bytes)) {
		virtio_device_break(transport);
		return;
	}
	if (count == 0)
		return;
	queue->batch_end = (uint16_t)(queue->next + count);
	state->deadline_ns = hv_now().v + LATENCY_NS + bytes / BYTES_PER_NS;
}

void disk_notified(uint32_t transport, uint32_t queue)
{
	(void)queue;
	if (virtio_device_state(transport)->deadline_ns == 0)
		batch_begin(transport);
}

static uint64_t field(const struct work *work, uint64_t sector)
{
	return event_sector_field(work->transport, sector);
}

static uint8_t failed(const struct work *work)
{
	gate_device(EVENT_DISK_ERROR, field(work, work->request.sector), work->request.type);
	return DONE_IO_ERROR;
}

static bool in_disk(const struct work *work, uint64_t sector, uint64_t bytes)
{
	uint64_t sectors = virtio_device_config(work->transport)->value;
	return bytes % VIRTIO_SECTOR_BYTES == 0 && sector <= sectors && bytes / VIRTIO_SECTOR_BYTES <= sectors - sector;
}

static uint32_t piece_of(uint64_t left)
{
	return left < HV_TRANSFER_BYTES ? (uint32_t)left : HV_TRANSFER_BYTES;
}

static void *transfer_area(void)
{
	return (void *)(uintptr_t)hv.boot->transfer_pa;
}

static uint8_t do_read(struct work *work)
{
	uint64_t sector = work->request.sector, end = sector + work->bytes / VIRTIO_SECTOR_BYTES;
	if (!in_disk(work, sector, work->bytes))
		return failed(work);
	while (sector < end && !hv.ended) {
		struct hv_ask ask = {.kind = HV_ASK_DISK_READ, .device = work->transport, .sector = sector};
		ask.bytes = piece_of((end - sector) * VIRTIO_SECTOR_BYTES);
		if (!gate_ask(EVENT_DISK_READ, &ask))
			return failed(work);
		gate_device(EVENT_DISK_READ, field(work, sector), event_data_field(ask.bytes, 0));
		virtqueue_write(&work->out, transfer_area(), ask.bytes);
		work->written += ask.bytes;
		sector += ask.bytes / VIRTIO_SECTOR_BYTES;
	}
	return DONE_OK;
}

static uint8_t do_write(struct work *work)
{
	uint64_t sector = work->request.sector, end = sector + work->bytes / VIRTIO_SECTOR_BYTES;
	if (!in_disk(work, sector, work->bytes) || virtio_device_config(work->transport)->flags & VIRTIO_READ_ONLY)
		return failed(work);
	while (sector < end && !hv.ended) {
		uint32_t bytes = piece_of((end - sector) * VIRTIO_SECTOR_BYTES);
		virtqueue_read(&work->in, transfer_area(), bytes);
		gate_output(transfer_area(), bytes);
		gate_device(EVENT_DISK_WRITE, field(work, sector),
			    event_data_field(bytes, virtio_device_check(transfer_area(), bytes)));
		sector += bytes / VIRTIO_SECTOR_BYTES;
	}
	return DONE_OK;
}

static uint8_t do_flush(const struct work *work)
{
	struct hv_ask ask = {.kind = HV_ASK_DISK_FLUSH, .device = work->transport};
	if (!gate_ask(EVENT_DISK_FLUSH, &ask))
		return failed(work);
	gate_device(EVENT_DISK_FLUSH, field(work, 0), 0);
	return DONE_OK;
}

/* DONE_OK: it may be done. Flags that nobody knows are not obeyed in part (5.2.6.2). */
static uint8_t zero_check(const struct work *work, const struct zero_segment *segment)
{
	uint32_t flags = work->request.type == REQUEST_WRITE_ZEROES ? FLAG_UNMAP : 0;
	uint64_t bytes = (uint64_t)segment->sectors * VIRTIO_SECTOR_BYTES;
	if (segment->flags & ~flags)
		return DONE_UNSUPPORTED;
	return segment->sectors <= ZERO_SECTORS_MAX && in_disk(work, segment->sector, bytes) ? DONE_OK : DONE_IO_ERROR;
}

/* Discarded or zeroed, the sectors read as zeroes afterwards. All of a request is done, or nothing. */
static uint8_t do_zero(struct work *work)
{
	struct zero_segment segments[ZERO_SEGMENTS_MAX];
	uint32_t count = (uint32_t)(work->bytes / sizeof(segments[0]));
	uint8_t done = DONE_OK;
	if (work->bytes % sizeof(segments[0]) != 0 || work->bytes > sizeof(segments) ||
	    virtio_device_config(work->transport)->flags & VIRTIO_READ_ONLY ||
	    !virtqueue_read(&work->in, segments, (uint32_t)work->bytes))
		return failed(work);
	for (uint32_t i = 0; i < count && done == DONE_OK; i++)
		done = zero_check(work, &segments[i]);
	for (uint32_t i = 0; i < count && done == DONE_OK; i++)
		gate_device(EVENT_DISK_ZERO, field(work, segments[i].sector),
			    (uint64_t)segments[i].sectors * VIRTIO_SECTOR_BYTES);
	return done == DONE_IO_ERROR ? failed(work) : done;
}

static uint8_t do_get_id(struct work *work)
{
	const struct hv_virtio *config = virtio_device_config(work->transport);
	work->written = work->bytes < VIRTIO_SERIAL_BYTES ? (uint32_t)work->bytes : VIRTIO_SERIAL_BYTES;
	virtqueue_write(&work->out, config->serial, work->written);
	return DONE_OK;
}

static uint8_t do_request(struct work *work)
{
	switch (work->request.type) {
	case REQUEST_IN:
		return do_read(work);
	case REQUEST_OUT:
		return do_write(work);
	case REQUEST_FLUSH:
		return do_flush(work);
	case REQUEST_GET_ID:
		return do_get_id(work);
	case REQUEST_DISCARD:
	case REQUEST_WRITE_ZEROES:
		return do_zero(work);
	default:
		return DONE_UNSUPPORTED;
	}
}

/* The status is the last byte that the device may write, wherever the data ended. */
static bool status_put(const struct work *work, uint8_t status)
{
	for (uint32_t i = work->chain->count; i-- > work->chain->readable_count;) {
		const struct virtqueue_segment *last = &work->chain->at[i];
		if (last->bytes != 0)
			return dma_write((ipa_t){last->ipa + last->bytes - 1}, &status, sizeof(status));
	}
	return false;
}

/* How many bytes from the first one on were written; the status counts only where it is right behind the data. */
static uint32_t used_bytes(const struct work *work)
{
	return work->written + (work->written + UINT64_C(1) == work->chain->writable_bytes);
}

/* False: no driver makes such a request. One that names the same RAM again and again could be of any length. */
static bool request_begin(struct work *work)
{
	const struct virtqueue_chain *chain = work->chain;
	if (chain->readable_bytes + chain->writable_bytes > hv.boot->guest_ram_bytes)
		return false;
	work->in = virtqueue_readable(chain);
	work->out = virtqueue_writable(chain);
	if (chain->writable_bytes == 0 || !virtqueue_is_ram(work->in) || !virtqueue_is_ram(work->out) ||
	    !virtqueue_read(&work->in, &work->request, sizeof(work->request)))
		return false;
	bool reads = work->request.type == REQUEST_IN || work->request.type == REQUEST_GET_ID;
	work->bytes = reads ? chain->writable_bytes - 1 : chain->readable_bytes - sizeof(work->request);
	return true;
}

static HV_APART void batch_do(uint32_t transport)
{
	struct virtqueue_state *queue = &virtio_device_state(transport)->queue[QUEUE];
	uint16_t before = queue->used;
	while (queue->next != queue->batch_end) {
		struct work work = {.transport = transport, .chain = virtio_device_take(transport, QUEUE)};
		if (!work.chain)
			break;
		if (!request_begin(&work) || !status_put(&work, do_request(&work))) {
			virtio_device_break(transport);
			break;
		}
		virtio_device_give(transport, QUEUE, work.chain, used_bytes(&work));
	}
	virtio_device_show(transport, QUEUE, before);
}

void disk_complete(uint32_t transport)
{
	virtio_device_state(transport)->deadline_ns = 0;
	batch_do(transport);
	if (!hv.ended)
		batch_begin(transport);
}
