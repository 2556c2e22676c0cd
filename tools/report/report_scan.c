/* The passes over a trace, and the first of them, which counts. */
#include "tools/report/report_scan.h"
#include "hv/host/event_console.h"
#include "replay/trace/metadata.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_EVENTS = 4096 };

unsigned report_scan_kind(const struct event *event)
{
	return event->kind <= EVENT_KIND_MAX ? event->kind : 0;
}

bool report_scan_console(const struct event *event, uint8_t *byte)
{
	return event_console_bytes(event, 1, byte) == 1;
}

bool report_scan_events(struct trace_reader *trace, uint64_t event_count, report_event_fn *each, void *context,
			struct error *error)
{
	static struct event events[BATCH_EVENTS];
	struct trace_cursor *cursor = trace_seek(trace, 0, error);
	struct report_place place = {.index = trace_first_event(trace)};
	int64_t got = cursor ? 1 : -1;
	if (cursor)
		place.idle_ns = trace_cursor_idle_ns(cursor);
	while (got > 0 && place.index < event_count) {
		uint64_t left = event_count - place.index;
		got = trace_next(cursor, events, left < BATCH_EVENTS ? left : BATCH_EVENTS, error);
		for (int64_t i = 0; i < got; i++) {
			if (!each(context, &events[i], &place, error)) {
				got = -1;
				break;
			}
			place.idle_ns += event_idle_ns(&events[i]);
			place.index++;
		}
	}
	trace_cursor_free(cursor);
	return got >= 0;
}

struct counting {
	struct report_facts *facts;
	uint8_t last_byte; /* of the console; a line that has begun counts */
};

static bool count_event(void *context, const struct event *event, const struct report_place *place, struct error *error)
{
	struct counting *counting = context;
	struct report_facts *facts = counting->facts;
	unsigned kind = report_scan_kind(event);
	if (place->index == facts->first_event)
		facts->start_ns = facts->start_n + place->idle_ns;
	uint8_t byte;
	(void)error;
	if (facts->counts[kind]++ == 0)
		facts->first_n[kind] = event->n;
	facts->instructions = event->n;
	facts->idle_ns = place->idle_ns + event_idle_ns(event);
	if (report_scan_console(event, &byte)) {
		facts->console_bytes++;
		facts->console_lines += counting->last_byte == '\n';
		counting->last_byte = byte;
	}
	return true;
}

static bool text_get(struct trace_reader *trace, enum trace_meta_text key, char **text, struct error *error)
{
	return trace_get_text(trace, key, text, error) != TRACE_FAILED;
}

bool report_scan_facts(struct trace_reader *trace, struct report_facts *facts, struct error *error)
{
	struct trace_totals totals;
	struct counting counting = {facts, '\n'};
	*facts = (struct report_facts){.complete = trace_is_complete(trace)};
	if (!text_get(trace, TRACE_META_KERNEL_NAME, &facts->kernel_name, error) ||
	    !text_get(trace, TRACE_META_KERNEL_KIND, &facts->kernel_kind, error) ||
	    !text_get(trace, TRACE_META_BOOTARGS, &facts->bootargs, error) ||
	    !text_get(trace, TRACE_META_MACHINE, &facts->machine, error) ||
	    !text_get(trace, TRACE_META_END_REASON, &facts->end_reason, error) ||
	    !text_get(trace, TRACE_META_FINAL_STATE_HASH, &facts->final_state_hash, error) ||
	    trace_get_u64(trace, TRACE_META_RAM_BYTES, &facts->ram_bytes, error) == TRACE_FAILED ||
	    trace_get_u64(trace, TRACE_META_VCPU_COUNT, &facts->vcpu_count, error) == TRACE_FAILED ||
	    !metadata_devices(trace, &facts->devices, error) || !trace_get_totals(trace, &totals, error))
		return false;
	facts->event_count = totals.event_count;
	facts->first_event = trace_first_event(trace);
	facts->start_n = trace_start_n(trace);
	return report_scan_events(trace, facts->event_count, count_event, &counting, error);
}

void report_scan_free(struct report_facts *facts)
{
	free(facts->kernel_name);
	free(facts->kernel_kind);
	free(facts->bootargs);
	free(facts->machine);
	free(facts->end_reason);
	free(facts->final_state_hash);
}
