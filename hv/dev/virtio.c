/* Registers: VIRTIO 1.2, table 4.1. A driver that writes where the specification forbids it (to a queue that is ready,
 * features after FEATURES_OK) is not heard. */
#include "hv/dev/virtio.h"
#include "hv/dev/virtqueue.h"

enum {
	REG_MAGIC = 0x000,
	REG_VERSION = 0x004,
	REG_DEVICE_ID = 0x008,
	REG_VENDOR_ID = 0x00c,
	REG_DEVICE_FEATURES = 0x010,
	REG_DEVICE_FEATURES_SEL = 0x014,
	REG_DRIVER_FEATURES = 0x020,
	REG_DRIVER_FEATURES_SEL = 0x024,
	REG_QUEUE_SEL = 0x030,
	REG_QUEUE_SIZE_MAX = 0x034,
	REG_QUEUE_SIZE = 0x038,
	REG_QUEUE_READY = 0x044,
	REG_QUEUE_NOTIFY = 0x050,
	REG_INTERRUPT_STATUS = 0x060,
	REG_INTERRUPT_ACK = 0x064,
	REG_STATUS = 0x070,
	REG_QUEUE_DESC_LOW = 0x080,
	REG_QUEUE_DESC_HIGH = 0x084,
	REG_QUEUE_DRIVER_LOW = 0x090,
	REG_QUEUE_DRIVER_HIGH = 0x094,
	REG_QUEUE_DEVICE_LOW = 0x0a0,
	REG_QUEUE_DEVICE_HIGH = 0x0a4,
	REG_SHM_LENGTH_LOW = 0x0b0,
	REG_SHM_BASE_HIGH = 0x0bc,
	REG_CONFIG_GENERATION = 0x0fc,
	REG_CONFIG = 0x100,
};

enum { MAGIC_VIRT = 0x74726976, VERSION_LEGACY = 1, VERSION_MODERN = 2, VENDOR_QEMU = 0x554d4551 };
enum { STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8, STATUS_NEEDS_RESET = 64, STATUS_DRIVERS = 0xff - 64 };
enum { INTERRUPT_USED = 1, INTERRUPT_CONFIG = 2 };

static const struct virtqueue_state *queue_of(const struct virtio_state *state, const struct virtio_model *model)
{
	return state->queue_sel < model->queue_count ? &state->queue[state->queue_sel] : 0;
}

static uint64_t config_read(const struct virtio_model *model, uint32_t at, uint8_t size)
{
	uint64_t value = 0;
	for (uint8_t i = 0; i < size && at + i < VIRTIO_CONFIG_BYTES; i++)
		value |= (uint64_t)model->config[at + i] << 8 * i;
	return value;
}

static uint64_t empty_read(uint32_t offset)
{
	return offset == REG_MAGIC       ? MAGIC_VIRT
	       : offset == REG_VERSION   ? VERSION_LEGACY
	       : offset == REG_VENDOR_ID ? VENDOR_QEMU
					 : 0;
}

static uint32_t features_word(uint64_t features, uint32_t select)
{
	return select > 1 ? 0 : (uint32_t)(features >> 32 * select);
}

uint64_t virtio_read(const struct virtio_state *state, const struct virtio_model *model, uint32_t offset, uint8_t size)
{
	if (model->type == VIRTIO_TYPE_NONE)
		return empty_read(offset);
	if (offset >= REG_CONFIG)
		return config_read(model, offset - REG_CONFIG, size);
	const struct virtqueue_state *queue = queue_of(state, model);
	switch (offset) {
	case REG_MAGIC:
		return MAGIC_VIRT;
	case REG_VERSION:
		return VERSION_MODERN;
	case REG_DEVICE_ID:
		return model->type;
	case REG_VENDOR_ID:
		return VENDOR_QEMU;
	case REG_DEVICE_FEATURES:
		return features_word(model->features, state->device_features_sel);
	case REG_QUEUE_SIZE_MAX:
		return queue ? VIRTQUEUE_SIZE_MAX : 0;
	case REG_QUEUE_READY:
		return queue ? queue->ready : 0;
	case REG_INTERRUPT_STATUS:
		return state->interrupt;
	case REG_STATUS:
		return state->status;
	default: /* a shared memory region that is not there has length and base -1 (4.2.2) */
		return offset >= REG_SHM_LENGTH_LOW && offset <= REG_SHM_BASE_HIGH ? UINT32_MAX : 0;
	}
}

static void low_put(uint64_t *to, uint32_t value)
{
	*to = (*to & ~(uint64_t)UINT32_MAX) | value;
}

static void high_put(uint64_t *to, uint32_t value)
{
	*to = (*to & UINT32_MAX) | (uint64_t)value << 32;
}

static bool size_is_valid(uint32_t size)
{
	return size != 0 && size <= VIRTQUEUE_SIZE_MAX && (size & (size - 1)) == 0;
}

/* A queue begins anew when it is made ready. */
static void queue_ready(struct virtqueue_state *queue, uint32_t value)
{
	queue->ready = value & 1 && size_is_valid(queue->size);
	queue->next = queue->used = queue->batch_end = 0;
}

static void queue_write(struct virtqueue_state *queue, uint32_t offset, uint32_t value)
{
	if (offset == REG_QUEUE_READY)
		queue_ready(queue, value);
	else if (queue->ready)
		return;
	else if (offset == REG_QUEUE_SIZE)
		queue->size = size_is_valid(value) ? (uint16_t)value : 0;
	else if (offset == REG_QUEUE_DESC_LOW)
		low_put(&queue->desc, value);
	else if (offset == REG_QUEUE_DESC_HIGH)
		high_put(&queue->desc, value);
	else if (offset == REG_QUEUE_DRIVER_LOW)
		low_put(&queue->driver, value);
	else if (offset == REG_QUEUE_DRIVER_HIGH)
		high_put(&queue->driver, value);
	else if (offset == REG_QUEUE_DEVICE_LOW)
		low_put(&queue->device, value);
	else if (offset == REG_QUEUE_DEVICE_HIGH)
		high_put(&queue->device, value);
}

static void driver_features_write(struct virtio_state *state, uint32_t value)
{
	if (state->status & STATUS_FEATURES_OK)
		return;
	if (state->driver_features_sel == 0)
		low_put(&state->driver_features, value);
	else if (state->driver_features_sel == 1)
		high_put(&state->driver_features, value);
}

/* FEATURES_OK stays clear where the device does not work with what the driver chose (3.1.1). */
static void status_write(struct virtio_state *state, const struct virtio_model *model, uint32_t value)
{
	bool known = (state->driver_features & ~model->features) == 0 && state->driver_features & VIRTIO_F_VERSION_1;
	if (value == 0) {
		*state = (struct virtio_state){0};
		return;
	}
	if (!(state->status & STATUS_FEATURES_OK) && !known)
		value &= ~(uint32_t)STATUS_FEATURES_OK;
	state->status = (value & STATUS_DRIVERS) | (state->status & STATUS_NEEDS_RESET);
}

int virtio_write(struct virtio_state *state, const struct virtio_model *model, uint32_t offset, uint8_t size,
		 uint64_t value)
{
	uint32_t word = (uint32_t)value;
	if (model->type == VIRTIO_TYPE_NONE || offset >= REG_CONFIG || size < 4)
		return -1;
	switch (offset) {
	case REG_DEVICE_FEATURES_SEL:
		state->device_features_sel = word;
		break;
	case REG_DRIVER_FEATURES:
		driver_features_write(state, word);
		break;
	case REG_DRIVER_FEATURES_SEL:
		state->driver_features_sel = word;
		break;
	case REG_QUEUE_SEL:
		state->queue_sel = word;
		break;
	case REG_QUEUE_NOTIFY:
		return word < model->queue_count ? (int)word : -1;
	case REG_INTERRUPT_ACK:
		state->interrupt &= ~word;
		break;
	case REG_STATUS:
		status_write(state, model, word);
		break;
	default:
		if (state->queue_sel < model->queue_count)
			queue_write(&state->queue[state->queue_sel], offset, word);
		break;
	}
	return -1;
}

bool virtio_is_live(const struct virtio_state *state, uint32_t queue)
{
	return state->status & STATUS_DRIVER_OK && !(state->status & STATUS_NEEDS_RESET) && state->queue[queue].ready;
}

void virtio_interrupt(struct virtio_state *state)
{
	state->interrupt |= INTERRUPT_USED;
}

void virtio_break(struct virtio_state *state)
{
	state->status |= STATUS_NEEDS_RESET;
	state->deadline_ns = 0;
	if (state->status & STATUS_DRIVER_OK)
		state->interrupt |= INTERRUPT_CONFIG;
}
