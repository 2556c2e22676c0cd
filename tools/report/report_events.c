/* Which events are kept, and their columns: differences from one to the next, and numbers of texts that repeat. */
#include "tools/report/report_events.h"
#include "replay/trace/event_text.h"
#include "tools/report/report_texts.h"

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
	event_text_meaning(event, &events->facts->devices, text + length, sizeof(text) - (size_t)length);
	report_names_text(events->names, event->pc, pc, sizeof(pc));
	if (!report_texts_add(events->meanings, text, &kept->meaning, error) ||
	    !report_texts_add(events->pcs, pc, &kept->pc, error))
		return false;
	events->count++;
	return true;
}

static void columns_json(const struct report_events *events, struct json *json)
{
	struct kept last = {0};
	json_array(json, "rows");
	for (size_t i = 0; i < events->count; i++) {
		const struct kept *kept = &events->kept[i];
		json_number(json, NULL, kept->index - last.index);
		json_number(json, NULL, kept->n - last.n);
		json_number(json, NULL, kept->idle_ns - last.idle_ns);
		json_number(json, NULL, kept->meaning);
		json_number(json, NULL, kept->pc);
		last = *kept;
	}
	json_array_end(json);
}

static void jumps_json(const struct report_events *events, struct json *json)
{
	char key[24];
	json_object(json, "jumps");
	for (size_t i = 0; i < events->count; i++) {
		if (events->kept[i].jump_ns == 0)
			continue;
		snprintf(key, sizeof(key), "%zu", i);
		json_number(json, key, events->kept[i].jump_ns);
	}
	json_object_end(json);
}

void report_events_json(const struct report_events *events, struct json *json)
{
	json_object(json, "events");
	json_number(json, "threshold", events->threshold);
	json_number(json, "kept", events->count);
	json_array(json, "rare");
	for (int kind = 0; kind <= EVENT_KIND_MAX; kind++)
		json_number(json, NULL, events->rare[kind]);
	json_array_end(json);
	json_break(json);
	columns_json(events, json);
	json_break(json);
	jumps_json(events, json);
	json_break(json);
	report_texts_json(events->meanings, "meanings", json);
	json_break(json);
	report_texts_json(events->pcs, "pcs", json);
	json_object_end(json);
}
