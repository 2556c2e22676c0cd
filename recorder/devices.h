/* The guest's virtio devices on the host's side of a recording: what hv asks for, what the guest gives out, and what of
 * both goes into the trace. */
#pragma once
#include "hv/abi/event.h"
#include "hv/host/machine.h"
#include "hv/host/virtio_list.h"
#include "recorder/devices_options.h"
#include "recorder/disk.h"
#include "recorder/net.h"
#include "recorder/writer.h"

/* Which disk it is that tells of its blocks. */
struct devices_disk {
	struct devices *devices;
	uint32_t transport;
};

struct devices {
	struct virtio_list list;
	struct disk *disks[GUEST_VIRTIO_COUNT]; /* by transport */
	struct devices_disk tellings[GUEST_VIRTIO_COUNT];
	struct net *net; /* NULL: there is none */
	struct machine *machine;
	struct writer *writer;
	struct error failure; /* the host cannot keep what the guest writes */
	struct error warned;  /* of a disk, which the guest saw too */
};

/* Opens what the options name; a disk's overlay goes into the trace's folder. False: error set. */
bool devices_open(struct devices *devices, const struct devices_options *options, const char *trace,
		  struct error *error);
/* Puts the list of devices into the trace. */
bool devices_keep(const struct devices *devices, struct trace_writer *trace, struct error *error);
/* From here on they serve this machine, and give this writer what the trace needs. */
void devices_start(struct devices *devices, struct machine *machine, struct writer *writer);
/* poll(2), with what the devices wait for beside `fds`. */
void devices_poll(struct devices *devices, struct pollfd *fds, size_t count, int timeout_ms);
/* Looks at events before they are given to the writer; the first has number `first` in the trace. Takes what they gave
 * out. Returns how many of them can be given now: the rest has to wait for the writer, or for ever (devices_healthy).
 */
size_t devices_see(struct devices *devices, const struct event *events, size_t count, uint64_t first);
/* Whether what the guest wrote could be kept so far; fills `error` if not. */
bool devices_healthy(const struct devices *devices, struct error *error);
/* Answers what hv asks, and wakes it. Call when all events have been given. */
void devices_answer(struct devices *devices);
/* Hands over what came for the guest, and wakes hv if need be. Call when all events have been looked at. */
void devices_release(struct devices *devices);
/* The guest is at its end: brings what it wrote to the images that are to be written. */
bool devices_flush(struct devices *devices, struct error *error);
void devices_close(struct devices *devices);
