/* Packets out go at once, behind the notification. Packets in are taken like console input: where hv settles, when the
 * host has one and the driver a buffer. */
#include "hv/core/net.h"
#include "hv/core/gate.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"

/* VIRTIO 1.2, 5.1.3; the configuration: 5.1.4. */
#define FEATURE_MTU    BIT(3)
#define FEATURE_MAC    BIT(5)
#define FEATURE_STATUS BIT(16)

enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_MTU = 10, STATUS_LINK_UP = 1, MAC_BYTES = 6, MTU = 1500 };

/* struct virtio_net_hdr, 5.1.6: all zero but num_buffers, which is 1 where the device writes it. */
enum { HEADER_BYTES = 12, HEADER_BUFFERS = 10 };

void net_model(struct virtio_model *model, const struct hv_virtio *config)
{
	model->queue_count = 2;
	model->features |= FEATURE_MTU | FEATURE_MAC | FEATURE_STATUS;
	for (uint32_t i = 0; i < MAC_BYTES; i++)
		model->config[CONFIG_MAC + i] = (uint8_t)(config->value >> 8 * i);
	model->config[CONFIG_STATUS] = STATUS_LINK_UP;
	model->config[CONFIG_MTU] = MTU & UINT8_MAX;
	model->config[CONFIG_MTU + 1] = MTU >> 8;
}

static uint8_t *transfer_area(void)
{
	return (uint8_t *)(uintptr_t)hv.boot->transfer_pa;
}

/* False: no driver sends such a packet. */
static bool send(uint32_t transport, const struct virtqueue_chain *chain)
{
	struct virtqueue_cursor in = virtqueue_readable(chain);
	uint8_t header[HEADER_BYTES];
	if (!virtqueue_is_ram(in) || !virtqueue_read(&in, header, sizeof(header)) ||
	    chain->readable_bytes - HEADER_BYTES > HV_PACKET_BYTES_MAX)
		return false;
	uint32_t bytes = (uint32_t)(chain->readable_bytes - HEADER_BYTES);
	virtqueue_read(&in, transfer_area(), bytes);
	gate_output(transfer_area(), bytes);
	gate_device(EVENT_PACKET_OUT, transport, event_data_field(bytes, virtio_device_check(transfer_area(), bytes)));
	return true;
}

void net_notified(uint32_t transport, uint32_t queue)
{
	uint16_t before = virtio_device_state(transport)->queue[queue].used;
	const struct virtqueue_chain *chain;
	if (queue != NET_TRANSMIT)
		return;
	for (uint32_t i = 0; i < VIRTQUEUE_SIZE_MAX && (chain = virtio_device_take(transport, queue)); i++) {
		if (!send(transport, chain)) {
			virtio_device_break(transport);
			break;
		}
		virtio_device_give(transport, queue, chain, 0);
	}
	gate_sent();
	virtio_device_show(transport, queue, before);
}

/* A packet that the buffer is too small for is cut. False: no driver gives such a buffer. */
static bool receive(const struct virtqueue_chain *chain, uint32_t bytes, uint32_t *written)
{
	const uint8_t header[HEADER_BYTES] = {[HEADER_BUFFERS] = 1};
	struct virtqueue_cursor out = virtqueue_writable(chain);
	if (!virtqueue_is_ram(out) || chain->writable_bytes < HEADER_BYTES)
		return false;
	uint64_t room = chain->writable_bytes - HEADER_BYTES;
	bytes = bytes < room ? bytes : (uint32_t)room;
	virtqueue_write(&out, header, sizeof(header));
	virtqueue_write(&out, transfer_area(), bytes);
	*written = HEADER_BYTES + bytes;
	return true;
}

/* What becomes of the packet is found out behind its event: that the driver broke the queue is seen in a replay there,
 * and nowhere before. False: the device is broken, or the trace is. */
static bool packet_take(uint32_t transport)
{
	struct hv_ask ask = {.kind = HV_ASK_PACKET, .device = transport, .bytes = HV_PACKET_BYTES_MAX};
	uint32_t written;
	if (!gate_ask(EVENT_PACKET_IN, &ask))
		return false;
	gate_device(EVENT_PACKET_IN, transport,
		    event_data_field(ask.bytes, virtio_device_check(transfer_area(), ask.bytes)));
	const struct virtqueue_chain *chain = virtio_device_take(transport, NET_RECEIVE);
	if (!chain)
		return false;
	if (!receive(chain, ask.bytes, &written)) {
		virtio_device_break(transport);
		return false;
	}
	virtio_device_give(transport, NET_RECEIVE, chain, written);
	return true;
}

void net_packets_take(uint32_t transport)
{
	struct virtqueue_state *queue = &virtio_device_state(transport)->queue[NET_RECEIVE];
	uint16_t before = queue->used;
	while (gate_packet(transport)) {
		interrupts_fold(); /* as at the note that stands for it in a replay */
		if (!packet_take(transport))
			break;
	}
	if (queue->used != before)
		virtio_device_show(transport, NET_RECEIVE, before);
}
