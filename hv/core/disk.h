/* virtio-blk (VIRTIO 1.2, 5.2): a disk's requests. What is on it is the host's: hv/core/gate.h. */
#pragma once
#include "hv/core/virtio_device.h"

void disk_model(struct virtio_model *model, const struct hv_virtio *config);
void disk_notified(uint32_t transport, uint32_t queue);
/* The deadline of its batch has come: does the requests, in order, and begins the next batch. */
void disk_complete(uint32_t transport);
