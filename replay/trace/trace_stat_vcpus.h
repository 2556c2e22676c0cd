/* Who ran when, in numbers. The vCPUs take turns on one CPU, so at any guest time at most one of them runs. */
#pragma once
#include "hv/abi/event.h"
#include "hv/abi/guest_state.h"

struct trace_stat_vcpu {
	uint64_t event_count;
	uint64_t interrupts;                /* made pending for it */
	uint64_t turns;                     /* that it had, that at the trace's start and end too */
	uint64_t instructions;              /* so many ns of guest time it ran, too */
	uint64_t waits_ns;                  /* guest time from a WFI to its next turn, and idle in its own turn */
	uint64_t ready_ns;                  /* from the end of a turn for another reason to its next one */
	uint64_t off_ns;                    /* from its CPU_OFF, or the trace's start, to its next turn */
	uint64_t ends[SWITCH_REASON_COUNT]; /* of its turns, by enum switch_reason; [0]: others */
};

/* What is known while the events go by. */
struct trace_stat_vcpus {
	uint32_t count; /* of the guest's vCPUs, 1 to GUEST_VCPU_MAX */
	struct trace_stat_vcpu at[GUEST_VCPU_MAX];
	uint64_t idle_ns; /* guest time at a position is that and this */
	uint64_t turn_n;  /* where the turn began that is going on */
	uint32_t current; /* whose it is */
	bool is_begun;    /* an event has shown that */
	struct {
		uint64_t ns;
		uint64_t reason; /* enum switch_reason; 0: it has had no turn */
	} left[GUEST_VCPU_MAX];  /* of those that have no turn */
};

/* Begins at the trace's start: a position, and guest time there. `vcpu_count` may be any number that a trace has. */
void trace_stat_vcpus_begin(struct trace_stat_vcpus *vcpus, uint64_t vcpu_count, uint64_t n, uint64_t ns);
/* The next event. Those of a vCPU that the guest does not have are left out. */
void trace_stat_vcpus_add(struct trace_stat_vcpus *vcpus, const struct event *event);
/* After the last one, at position `n`. */
void trace_stat_vcpus_end(struct trace_stat_vcpus *vcpus, uint64_t n);
