/* virtio-rng (VIRTIO 1.2, 5.4): random bytes, of which each is in the trace. */
#pragma once
#include "hv/core/virtio_device.h"

void entropy_model(struct virtio_model *model, const struct hv_virtio *config);
void entropy_notified(uint32_t transport, uint32_t queue);
