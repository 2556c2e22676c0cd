/* Single events for the page, where there are few enough: each with its place and what it means in words.
 *
 * 1. A bin with at most `threshold` events has all of its events here; of such bins there are at most
 * REPORT_EVENTS_MAX.
 * 2. So has a kind that is rare in the whole run: kinds from the rarest on that together have at most
 *    REPORT_EVENTS_RARE_MAX. */
#pragma once
#include "tools/json.h"
#include "tools/report/report_bins.h"
#include "tools/report/report_names.h"

enum { REPORT_EVENTS_MAX = 32768, REPORT_EVENTS_RARE_MAX = 16384 };

struct report_events;

/* All three must outlive it: `bins` filled, `names` sorted and perhaps empty. NULL: out of memory, error set. */
struct report_events *report_events_new(const struct report_facts *facts, const struct report_bins *bins,
					const struct symbols *names, struct error *error);
void report_events_free(struct report_events *events);
/* Takes the next event, and keeps it or not. False: out of memory, error set. */
bool report_events_add(struct report_events *events, const struct event *event, const struct report_place *place,
		       struct error *error);
/* Writes the events as one JSON object. */
void report_events_json(const struct report_events *events, struct json *json);
