/* What the guest of a trace gets from its devices: hv asks, the trace answers (struct hv_ask). Diverted, the guest has
 * disks of its own over the trace's, which are thrown away. */
#pragma once
#include "hv/error/error.h"
#include "hv/host/machine.h"
#include "storage/trace.h"

struct supply;

/* `trace` outlives it and is only used by its thread. NULL: out of memory, error set. */
struct supply *supply_open(struct trace_reader *trace, struct error *error);
void supply_close(struct supply *supply);

/* Answers what hv asks at the trace's event `event`, if it asks, and wakes it; `diverted`: the guest was diverted
 * before that event. False: the trace does not have it; error set. */
bool supply_answer(struct supply *supply, struct machine *machine, uint64_t event, bool diverted, struct error *error);

/* Diverted before the trace's event `at`: takes what the guest's devices gave out with these events. */
bool supply_take(struct supply *supply, struct machine *machine, const struct event *events, size_t count, uint64_t at,
		 struct error *error);
/* The diversion is over. NULL is allowed, as in supply_close. */
void supply_forget(struct supply *supply);
