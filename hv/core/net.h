/* virtio-net (VIRTIO 1.2, 5.1): a network card with one pair of queues and no offloads. The network is the host's. */
#pragma once
#include "hv/core/virtio_device.h"

enum { NET_RECEIVE = 0, NET_TRANSMIT = 1 }; /* its queues (5.1.2) */

void net_model(struct virtio_model *model, const struct hv_virtio *config);
void net_notified(uint32_t transport, uint32_t queue);
/* Takes the packets that came, as many as there are buffers for. */
void net_packets_take(uint32_t transport);
