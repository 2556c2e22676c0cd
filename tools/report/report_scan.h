/* Reading a trace for the report: what it says of itself, and its events one after the other, each with its place.
 * The report reads the events several times; a trace that still grows is read up to where it was at first. */
#pragma once
#include "hv/host/virtio_list.h"
#include "storage/trace.h"

/* Where an event is. Guest time in ns is event->n + idle_ns. */
struct report_place {
	uint64_t index;   /* in the trace, from 0 */
	uint64_t idle_ns; /* the guest's idle time before it */
};

/* Takes one event. False: out of memory; error set. */
typedef bool report_event_fn(void *context, const struct event *event, const struct report_place *place,
			     struct error *error);

/* Gives the events below number `event_count` to `each`, in order. False: `each` did, or the trace is damaged; error
 * set. */
bool report_scan_events(struct trace_reader *trace, uint64_t event_count, report_event_fn *each, void *context,
			struct error *error);

struct report_facts {
	bool complete;
	char *kernel_name, *kernel_kind, *bootargs, *machine, *end_reason, *final_state_hash; /* NULL: not known */
	uint64_t ram_bytes, vcpu_count;
	uint64_t event_count, instructions, idle_ns; /* up to the end, counted from the recording's start */
	uint64_t first_event, start_n, start_ns;     /* where the trace starts */
	uint64_t counts[EVENT_KIND_MAX + 1];         /* of events by kind; [0]: of kinds that do not exist */
	uint64_t first_n[EVENT_KIND_MAX + 1];        /* of the first event of each kind */
	uint64_t console_bytes, console_lines;
	struct virtio_list devices;
};

/* Fills `facts`, with one pass over all events. False: the trace cannot be read; error set. Whatever comes, the caller
 * frees it with report_scan_free. */
bool report_scan_facts(struct trace_reader *trace, struct report_facts *facts, struct error *error);
void report_scan_free(struct report_facts *facts);

/* The index of an event's kind in tables as those of struct report_facts. Cannot fail. */
unsigned report_scan_kind(const struct event *event);
/* Whether the event prints a byte on the console. Cannot fail. */
bool report_scan_console(const struct event *event, uint8_t *byte);
