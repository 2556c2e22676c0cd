/* A trace in numbers: one pass over its events, in bounded memory. For `hvrec stat`, `hvrec info` and whoever else
 * counts. */
#pragma once
#include "hv/abi/machine.h"
#include "hv/host/virtio_list.h"
#include "replay/trace/trace_stat_devices.h"
#include "replay/trace/trace_stat_vcpus.h"
#include "storage/trace.h"

enum { TRACE_STAT_REASONS = EXIT_REASON_COUNT, TRACE_STAT_INTIDS = GUEST_INTID_COUNT };

/* Accesses of one device register. */
struct trace_stat_register {
	uint64_t ipa;
	uint64_t read_count, write_count;
};

struct trace_stat {
	bool complete;
	uint64_t start_n; /* where the trace starts: the position, and guest time there */
	uint64_t start_ns;
	uint64_t event_count;  /* from there on, like all that follows */
	uint64_t instructions; /* up to the last event */
	uint64_t guest_ns;     /* up to after it */
	uint64_t idle_ns;
	uint64_t kinds[EVENT_KIND_MAX + 1];                        /* events; [0]: kinds that do not exist */
	uint64_t exits[TRACE_STAT_REASONS];                        /* EXITs by enum exit_reason; [0]: others */
	uint64_t interrupts[TRACE_STAT_INTIDS];                    /* INJECTs by INTID */
	uint64_t interrupts_other;                                 /* INTIDs that the machine does not have */
	uint64_t interrupts_of[TRACE_STAT_INTIDS][GUEST_VCPU_MAX]; /* the same, of each vCPU */
	struct trace_stat_vcpus vcpus;
	struct virtio_list device_list; /* which devices the guest has */
	struct trace_stat_devices devices;
	struct trace_stat_register *registers; /* malloc'd; the most used first, at equality by address */
	size_t register_count;
	uint64_t register_other; /* accesses of registers that the table had no room for */
	struct trace_totals totals;
	struct trace_weights weights; /* of the events; chunks are weighed whole, also if the trace starts inside one */
	uint64_t file_bytes;          /* the whole trace */
};

/* Counts. False: the trace is damaged, or there is no memory; error set. trace_stat_free in either case. */
bool trace_stat_get(struct trace_reader *trace, struct trace_stat *stat, struct error *error);

/* Frees. Cannot fail. */
void trace_stat_free(struct trace_stat *stat);
