/* Which events are kept, and their columns: differences from one to the next, and numbers of texts that repeat. */
#include "tools/report/report_events.h"
#include "replay/trace/event_text.h"
#include "tools/report/report_texts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PC_BYTES = 96 };

struct kept {
	uint64_t index, n, idle_ns;
	uint64_t jump_ns;     /* of an IDLE; else 0 */
	uint32_t meaning, pc; /* of the texts */
};

struct report_events {
	const struct report_facts *facts;
	const struct report_bins *bins;
	const struct symbols *names;
	uint64_t threshold;
	bool rare[EVENT_KIND_MAX + 1];
	struct report_texts *meanings, *pcs;
	struct kept *kept;
	size_t count, room;
};

/* Marks the rarest kinds. */
static void choose_kinds(struct report_events *events)
{
	const uint64_t *counts = events->facts->counts;
	uint64_t sum = 0;
	for (;;) {
		int next = -1;
		for (int kind = 0; kind <= EVENT_KIND_MAX; kind++) {
			if (!events->rare[kind] && (next < 0 || counts[kind] < counts[next]))
				next = kind;
		}
		if (next < 0 || counts[next] > REPORT_EVENTS_RARE_MAX - sum)
			return;
		events->rare[next] = true;
		sum += counts[next];
	}
}

struct report_events *report_events_new(const struct report_facts *facts, const struct report_bins *bins,
					const struct symbols *names, struct error *error)
{
	struct report_events *events = calloc(1, sizeof(*events));
	if (!events) {
		error_set(error, STATUS_FAILED, "out of memory");
		return NULL;
	}
	events->facts = facts;
	events->bins = bins;
	events->names = names;
	events->threshold = report_bins_threshold(bins, REPORT_EVENTS_MAX);
	choose_kinds(events);
	events->room = REPORT_EVENTS_MAX + REPORT_EVENTS_RARE_MAX;
	events->kept = malloc(events->room * sizeof(*events->kept));
	events->meanings = report_texts_new(events->room, error);
	events->pcs = report_texts_new(events->room, error);
	if (events->kept && events->meanings && events->pcs)
		return events;
	report_events_free(events);
	error_set(error, STATUS_FAILED, "out of memory");
	return NULL;
}

void report_events_free(struct report_events *events)
{
	if (!events)
		return;
	report_texts_free(events->meanings);
	report_texts_free(events->pcs);
	free(events->kept);
	free(events);
}

static bool is_kept(const struct report_events *events, const struct event *event, uint64_t time_ns)
{
	return events->count < events->room &&
	       (events->rare[report_scan_kind(event)] ||
		events->bins->events[report_bins_index(events->bins, time_ns)] <= events->threshold);
}

bool report_events_add(struct report_events *events, const struct event *event, const struct report_place *place,
		       struct error *error)
{
	char text[EVENT_TEXT_BYTES], pc[PC_BYTES];
	uint8_t byte;
	if (!is_kept(events, event, event->n + place->idle_ns))
		return true;
	struct kept *kept = &events->kept[events->count];
	*kept = (struct kept){.index = place->index, .n = event->n, .idle_ns = place->idle_ns};
	kept->jump_ns = event_idle_ns(event);
	/* The page needs kind and class of an event without taking words apart. */
	int length = snprintf(text, sizeof(text), "%u,%d,", report_scan_kind(event), report_scan_console(event, &byte));
	event_text_meaning(event, text + length, sizeof(text) - (size_t)length);
	report_names_text(events->names, event->pc, pc, sizeof(pc));
	if (!report_texts_add(events->meanings, text, &kept->meaning, error) ||
	    !report_texts_add(events->pcs, pc, &kept->pc, error))
		return false;
	events->count++;
	return true;
}

static void columns_json(const struct report_events *events, FILE *out)
{
	struct kept last = {0};
	fputs("\"rows\":[", out);
	for (size_t i = 0; i < events->count; i++) {
		const struct kept *kept = &events->kept[i];
		fprintf(out, "%s%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu32 ",%" PRIu32, i > 0 ? "," : "",
			kept->index - last.index, kept->n - last.n, kept->idle_ns - last.idle_ns, kept->meaning,
			kept->pc);
		last = *kept;
	}
	fputs("],\n\"jumps\":{", out);
	const char *separator = "";
	for (size_t i = 0; i < events->count; i++) {
		if (events->kept[i].jump_ns == 0)
			continue;
		fprintf(out, "%s\"%zu\":%" PRIu64, separator, i, events->kept[i].jump_ns);
		separator = ",";
	}
	fputc('}', out);
}

void report_events_json(const struct report_events *events, FILE *out)
{
	fprintf(out, "{\"threshold\":%" PRIu64 ",\"kept\":%zu,\"rare\":[", events->threshold, events->count);
	for (int kind = 0; kind <= EVENT_KIND_MAX; kind++)
		fprintf(out, "%s%d", kind > 0 ? "," : "", events->rare[kind]);
	fputs("],\n", out);
	columns_json(events, out);
	fputs(",\n\"meanings\":", out);
	report_texts_json(events->meanings, out);
	fputs(",\n\"pcs\":", out);
	report_texts_json(events->pcs, out);
	fputc('}', out);
}
