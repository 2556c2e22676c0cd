/* What a trace says of its guest as a whole. */
#pragma once
#include "hv/host/virtio_list.h"
#include "storage/trace.h"

/* A number that every trace whose guest started has. False: it is not there, or damaged; error set. */
bool metadata_number(struct trace_reader *trace, enum trace_meta_number key, uint64_t *value, struct error *error);
/* How much RAM the guest has. False: damaged, error set. */
bool metadata_ram_bytes(struct trace_reader *trace, uint64_t *bytes, struct error *error);
/* The guest's virtio devices; none in a trace that says nothing of any. False: damaged, error set. */
bool metadata_devices(struct trace_reader *trace, struct virtio_list *list, struct error *error);
