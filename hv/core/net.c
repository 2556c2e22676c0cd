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
enum { HEADER_BYTES = 12, HEADER_BUFFERS = 10, PACKET_BYTES_MAX = 65536 };

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
	    chain->readable_bytes - HEADER_BYTES > PACKET_BYTES_MAX)
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
			return;
		}
		virtio_device_give(transport, queue, chain, 0);
	}
	virtio_device_show(transport, queue, before);
}

/* The packet that came, of so many bytes, into the chain. A packet that the buffer is too small for is cut. False: no
 * driver has such a buffer. */
static bool receive(const struct virtqueue_chain *chain, uint32_t packet_bytes, uint32_t *written)
{
	const uint8_t header[HEADER_BYTES] = {[HEADER_BUFFERS] = 1};
	struct virtqueue_cursor out = virtqueue_writable(chain);
	if (!virtqueue_is_ram(out) || chain->writable_bytes < HEADER_BYTES)
		return false;
	uint64_t room = chain->writable_bytes - HEADER_BYTES;
	uint32_t bytes = packet_bytes < room ? packet_bytes : (uint32_t)room;
	virtqueue_write(&out, header, sizeof(header));
	virtqueue_write(&out, transfer_area(), bytes);
	*written = HEADER_BYTES + bytes;
	return true;
}

/* Asks for a packet. What the driver's queue is worth is looked at behind the event, so that a replay does it at the
 * same place. */
static bool packet_come(uint32_t transport, uint32_t *bytes)
{
	struct hv_ask ask = {.kind = HV_ASK_PACKET, .device = transport, .bytes = PACKET_BYTES_MAX};
	if (!gate_packet(transport) || !gate_ask(EVENT_PACKET_IN, &ask))
		return false;
	interrupts_fold(); /* as at the note that stands for it in a replay */
	*bytes = ask.bytes;
	gate_device(EVENT_PACKET_IN, transport,
		    event_data_field(ask.bytes, virtio_device_check(transfer_area(), ask.bytes)));
	return true;
}

void net_packets_take(uint32_t transport)
{
	struct virtqueue_state *queue = &virtio_device_state(transport)->queue[NET_RECEIVE];
	uint16_t before = queue->used;
	uint32_t bytes, written;
	while (packet_come(transport, &bytes)) {
		const struct virtqueue_chain *chain = virtio_device_take(transport, NET_RECEIVE);
		if (!chain)
			break;
		if (!receive(chain, bytes, &written)) {
			virtio_device_break(transport);
			return;
		}
		virtio_device_give(transport, NET_RECEIVE, chain, written);
	}
	if (queue->used != before)
		virtio_device_show(transport, NET_RECEIVE, before);
}
