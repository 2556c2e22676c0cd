/* The table of devices: one row for each type. */
#include "hv/core/virtio_bus.h"
#include "hv/arch/hot.h"
#include "hv/core/disk.h"
#include "hv/core/entropy.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"
#include "hv/core/net.h"

struct device {
	uint32_t type; /* enum virtio_type */
	void (*model)(struct virtio_model *model, const struct hv_virtio *config);
	void (*notified)(uint32_t transport, uint32_t queue);
};

static const struct device devices[] = {
	{VIRTIO_TYPE_NET, net_model, net_notified},
	{VIRTIO_TYPE_BLOCK, disk_model, disk_notified},
	{VIRTIO_TYPE_ENTROPY, entropy_model, entropy_notified},
};

static struct virtio_model models[GUEST_VIRTIO_COUNT];
static const struct device *device_of[GUEST_VIRTIO_COUNT]; /* NULL: the transport is empty */
static uint32_t disks, cards;                /* a bit for each transport with a disk, with a network card */
static uint32_t notified[VIRTIO_QUEUES_MAX]; /* … whose queue was notified since they were served */

static void transport_init(uint32_t transport)
{
	const struct hv_virtio *config = &hv.boot->virtio[transport];
	struct virtio_model *model = &models[transport];
	*model = (struct virtio_model){0};
	device_of[transport] = NULL;
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (devices[i].type == config->type)
			device_of[transport] = &devices[i];
	}
	if (!device_of[transport])
		return;
	model->type = config->type;
	model->features = VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX;
	device_of[transport]->model(model, config);
	disks |= (uint32_t)(config->type == VIRTIO_TYPE_BLOCK) << transport;
	cards |= (uint32_t)(config->type == VIRTIO_TYPE_NET) << transport;
}

void virtio_bus_init(void)
{
	disks = cards = notified[0] = notified[1] = 0;
	for (uint32_t i = 0; i < GUEST_VIRTIO_COUNT; i++)
		transport_init(i);
}

uint64_t virtio_bus_read(uint64_t offset, uint8_t size)
{
	uint32_t transport = (uint32_t)(offset / GUEST_VIRTIO_BYTES);
	return virtio_read(virtio_device_state(transport), &models[transport], (uint32_t)(offset % GUEST_VIRTIO_BYTES),
			   size);
}

void virtio_bus_write(uint64_t offset, uint8_t size, uint64_t value)
{
	uint32_t transport = (uint32_t)(offset / GUEST_VIRTIO_BYTES);
	int queue = virtio_write(virtio_device_state(transport), &models[transport],
				 (uint32_t)(offset % GUEST_VIRTIO_BYTES), size, value);
	if (queue >= 0) {
		notified[queue] |= UINT32_C(1) << transport;
		interrupts_fold(); /* as at the note that may follow in a replay, and hv settles */
	}
	virtio_device_line(transport);
}

static HV_APART void notified_serve(void)
{
	for (uint32_t queue = 0; queue < VIRTIO_QUEUES_MAX; queue++) {
		for (uint32_t left = notified[queue]; left != 0; left &= left - 1) {
			uint32_t transport = (uint32_t)__builtin_ctz(left);
			if (virtio_is_live(virtio_device_state(transport), queue))
				device_of[transport]->notified(transport, queue);
		}
		notified[queue] = 0;
	}
}

void virtio_bus_serve(void)
{
	if ((notified[0] | notified[1]) != 0)
		notified_serve();
	for (uint32_t left = cards; left != 0; left &= left - 1)
		net_packets_take((uint32_t)__builtin_ctz(left));
}

void virtio_bus_complete(void)
{
	for (uint32_t left = disks; left != 0; left &= left - 1) {
		uint32_t transport = (uint32_t)__builtin_ctz(left);
		uint64_t deadline = virtio_device_state(transport)->deadline_ns;
		if (deadline != 0 && deadline <= hv_now().v)
			disk_complete(transport);
	}
}
