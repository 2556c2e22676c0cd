/* The format: "Trace Event Format" (Google, 2016), the object form. */
#include "tools/report/perfetto.h"

#include <inttypes.h>
#include <stdio.h>

void perfetto_open(struct perfetto *p, enum perfetto_phase phase, unsigned tid)
{
	static const char *const letters[] = {
		[PERFETTO_META] = "M", [PERFETTO_LASTING] = "X", [PERFETTO_INSTANT] = "i", [PERFETTO_COUNTER] = "C"};
	json_next(p->events, p->any ? ",\n" : "\n");
	p->any = true;
	json_object(p->events, NULL);
	json_text(p->events, "ph", letters[phase]);
	if (phase == PERFETTO_INSTANT)
		json_text(p->events, "s", "t"); /* as high as its track */
	json_number(p->events, "pid", PERFETTO_PID);
	json_number(p->events, "tid", tid);
}

void perfetto_args(struct perfetto *p)
{
	json_object(p->events, "args");
}

void perfetto_close(struct perfetto *p)
{
	json_object_end(p->events); /* args */
	json_object_end(p->events);
}

/* µs with three decimals: a double could not hold a long run's nanoseconds. */
void perfetto_us(struct perfetto *p, const char *member, uint64_t ns)
{
	json_spelled(p->events, member, "%" PRIu64 ".%03" PRIu64, ns / 1000, ns % 1000);
}

void perfetto_go(struct perfetto *p, uint64_t event)
{
	char text[64];
	snprintf(text, sizeof(text), "monitor seek event %" PRIu64, event);
	json_text(p->events, "go", text);
}

void perfetto_name_track(struct perfetto *p, unsigned tid, const char *name)
{
	perfetto_open(p, PERFETTO_META, tid);
	json_text(p->events, "name", "thread_name");
	perfetto_args(p);
	json_text(p->events, "name", name);
	perfetto_close(p);
	perfetto_open(p, PERFETTO_META, tid);
	json_text(p->events, "name", "thread_sort_index");
	perfetto_args(p);
	json_number(p->events, "sort_index", tid);
	perfetto_close(p);
}
