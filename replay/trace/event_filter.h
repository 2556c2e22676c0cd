/* Which events are meant: by kind, position, vCPU and address. `hvrec events` and the monitor's `next` share it, so
 * that a word means the same in both. Nothing here can fail but the two that read what a user typed. */
#pragma once
#include "hv/abi/event.h"
#include <stddef.h>

struct virtio_list;

struct event_filter {
	uint32_t kinds;                       /* bit K: kind K; 0 with `console` false: every kind, unknown ones too */
	bool console;                         /* bytes that the guest printed too */
	bool by_vcpu;                         /* only `vcpu`: a SWITCH is of who leaves and of who goes on */
	bool by_address;                      /* only first_address to last_address */
	uint64_t vcpu;                        /* index */
	uint64_t from_n;                      /* instructions; the first that is meant */
	uint64_t to_n;                        /* the last */
	uint64_t first_address, last_address; /* guest physical; for the kind INJECT alone: INTIDs */
	uint32_t transports;                  /* bit T: of events of a device, what transport T did */
};

/* Every event. */
extern const struct event_filter event_filter_all;

/* Adds a kind by its name in event.def, in either case, or a group: irq, mmio, exception, console,
 * disk, net, rng. False: there is none
 * of this name. */
bool event_filter_add(struct event_filter *filter, const char *name);

/* Takes only events of an address: a guest physical one, FROM..TO with both included, or a device: uart, rtc, gicd,
 * gicr, virtio3, or a disk's name, if `devices` is not NULL. Of a virtio device these are accesses of its registers,
 * and what it did. False: it is none of these. */
bool event_filter_address(struct event_filter *filter, const struct virtio_list *devices, const char *text);

/* Whether the event is meant. */
bool event_filter_wants(const struct event_filter *filter, const struct event *event);
