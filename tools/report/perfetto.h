/* Events of the Trace Event Format, written one after the other. */
#pragma once
#include "tools/json.h"

enum perfetto_phase { PERFETTO_META, PERFETTO_LASTING, PERFETTO_INSTANT, PERFETTO_COUNTER };

enum { PERFETTO_PID = 1 };
/* What counters count in. */
#define PERFETTO_WINDOW_NS UINT64_C(10000000)

struct perfetto {
	struct json *events;
	bool any; /* an event was written: the next one needs a comma */
};

/* None of these can fail. */

/* Opens an event, up to its tid; perfetto_close ends it. */
void perfetto_open(struct perfetto *p, enum perfetto_phase phase, unsigned tid);
/* Opens the event's args, the last of its members. */
void perfetto_args(struct perfetto *p);
void perfetto_close(struct perfetto *p);
/* A time as a member, which the format has in µs. */
void perfetto_us(struct perfetto *p, const char *member, uint64_t ns);
/* What a person types in gdb to go there. */
void perfetto_go(struct perfetto *p, uint64_t event);
/* Names a track, which viewers show in the order of tids. */
void perfetto_name_track(struct perfetto *p, unsigned tid, const char *name);
