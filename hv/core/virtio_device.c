/* A queue that cannot be right breaks its device and nothing else. */
#include "hv/core/virtio_device.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"
#include "hv/core/net.h"

struct virtio_state *virtio_device_state(uint32_t transport)
{
	return &hv.guest.virtio[transport];
}

const struct hv_virtio *virtio_device_config(uint32_t transport)
{
	return &hv.boot->virtio[transport];
}

void virtio_device_line(uint32_t transport)
{
	interrupts_set_level(GUEST_INTID_VIRTIO + transport, virtio_line(virtio_device_state(transport)));
}

void virtio_device_break(uint32_t transport)
{
	if (hv.ended)
		return;
	virtio_break(virtio_device_state(transport));
	virtio_device_line(transport);
}

const struct virtqueue_chain *virtio_device_take(uint32_t transport, uint32_t queue)
{
	static struct virtqueue_chain chain;
	struct virtio_state *state = virtio_device_state(transport);
	struct virtqueue_state *q = &state->queue[queue];
	uint16_t count = 0;
	if (hv.ended || !virtio_is_live(state, queue))
		return NULL;
	if (!virtqueue_available(q, q->next, &count) ||
	    (count != 0 && !virtqueue_chain_read(q, state->driver_features, q->next, &chain))) {
		virtio_device_break(transport);
		return NULL;
	}
	if (count == 0)
		return NULL;
	q->next++;
	return &chain;
}

void virtio_device_give(uint32_t transport, uint32_t queue, const struct virtqueue_chain *chain, uint32_t written)
{
	struct virtio_state *state = virtio_device_state(transport);
	if (virtio_is_live(state, queue) && !virtqueue_put(&state->queue[queue], chain, written))
		virtio_device_break(transport);
}

void virtio_device_show(uint32_t transport, uint32_t queue, uint16_t before)
{
	struct virtio_state *state = virtio_device_state(transport);
	struct virtqueue_state *q = &state->queue[queue];
	bool interrupts = false;
	if (!virtio_is_live(state, queue))
		return;
	if (!virtqueue_publish(q, state->driver_features, before, &interrupts) ||
	    !virtqueue_notify_from(q, state->driver_features, q->next)) {
		virtio_device_break(transport);
		return;
	}
	if (interrupts)
		virtio_interrupt(state);
	virtio_device_line(transport);
}

bool virtio_device_has_work(uint32_t transport, uint32_t queue)
{
	const struct virtio_state *state = virtio_device_state(transport);
	const struct virtqueue_state *q = &state->queue[queue];
	uint16_t count;
	return virtio_is_live(state, queue) && (!virtqueue_available(q, q->next, &count) || count != 0);
}

uint32_t virtio_device_check(const void *bytes, uint32_t count)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	const uint8_t *at = bytes;
	uint64_t check = count;
	uint32_t i = 0;
	for (; i + 32 <= count; i += 32) {
		const uint64_t *words = (const uint64_t *)(const void *)(at + i);
		check = (check ^ words[0]) * odd;
		check = (check ^ words[1]) * odd;
		check = (check ^ words[2]) * odd;
		check = (check ^ words[3]) * odd;
	}
	for (; i < count; i++)
		check = (check ^ at[i]) * odd;
	return (uint32_t)(check ^ check >> 32);
}

ns_t virtio_device_deadline(bool wakes)
{
	uint64_t first = UINT64_MAX, now = hv_now().v;
	for (uint32_t i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		uint64_t deadline = hv.guest.virtio[i].deadline_ns;
		if (deadline != 0 && deadline < first && (!wakes || interrupts_enabled(0, GUEST_INTID_VIRTIO + i)))
			first = deadline > now ? deadline : now + 1; /* it came in a trap, and is not served yet */
	}
	return (ns_t){first};
}

bool virtio_device_has_network(void)
{
	for (uint32_t i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		if (hv.boot->virtio[i].type == VIRTIO_TYPE_NET && virtio_is_live(&hv.guest.virtio[i], NET_RECEIVE))
			return true;
	}
	return false;
}

bool virtio_device_wants_packet(void)
{
	for (uint32_t i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		if (hv.boot->virtio[i].type == VIRTIO_TYPE_NET && virtio_device_has_work(i, NET_RECEIVE))
			return true;
	}
	return false;
}
