/* Each request is filled at once, up to a bound: a device may give less than was asked for. Requests, too: what is
 * written to the available ring meanwhile is a new notification's. */
#include "hv/core/entropy.h"
#include "hv/core/gate.h"
#include "hv/core/hv.h"

enum { BYTES_MAX = 4096 };

void entropy_model(struct virtio_model *model, const struct hv_virtio *config)
{
	(void)config;
	model->queue_count = 1;
}

static uint32_t fill(uint32_t transport, const struct virtqueue_chain *chain)
{
	const void *bytes = (const void *)(uintptr_t)hv.boot->transfer_pa;
	struct virtqueue_cursor out = virtqueue_writable(chain);
	struct hv_ask ask = {.kind = HV_ASK_ENTROPY, .device = transport};
	ask.bytes = chain->writable_bytes < BYTES_MAX ? (uint32_t)chain->writable_bytes : BYTES_MAX;
	if (ask.bytes == 0)
		return 0;
	if (!gate_ask(EVENT_ENTROPY, &ask))
		ask.bytes = 0; /* the host has none: an event, too */
	gate_device(EVENT_ENTROPY, transport, event_data_field(ask.bytes, virtio_device_check(bytes, ask.bytes)));
	virtqueue_write(&out, bytes, ask.bytes);
	return ask.bytes;
}

void entropy_notified(uint32_t transport, uint32_t queue)
{
	uint16_t before = virtio_device_state(transport)->queue[queue].used;
	const struct virtqueue_chain *chain;
	for (uint32_t i = 0; i < VIRTQUEUE_SIZE_MAX && (chain = virtio_device_take(transport, queue)); i++) {
		if (!virtqueue_is_ram(virtqueue_writable(chain))) {
			virtio_device_break(transport);
			return;
		}
		virtio_device_give(transport, queue, chain, fill(transport, chain));
	}
	virtio_device_show(transport, queue, before);
}
