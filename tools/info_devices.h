/* hvrec info's lines about the guest's virtio devices. */
#pragma once
#include "hv/host/virtio_list.h"
#include "tools/json.h"

/* A line for each. */
void info_devices_print(const struct virtio_list *list);
/* The member "devices", an array. */
void info_devices_json(const struct virtio_list *list, struct json *json);
