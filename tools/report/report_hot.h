/* The tables of the page: what the guest's exits were about. Exits by reason, interrupts, device registers, system
 * registers and calls, and where the guest was then (pcs, or functions where they have names), the most frequent of
 * each. */
#pragma once
#include "tools/json.h"
#include "tools/report/report_counts.h"
#include "tools/report/report_names.h"
#include "tools/report/report_scan.h"

enum report_hot_table {
	REPORT_HOT_REGISTERS,
	REPORT_HOT_TRAPS,   /* pcs of traps */
	REPORT_HOT_SAMPLES, /* pcs of asynchronous exits */
	REPORT_HOT_INTERRUPTS,
	REPORT_HOT_EXITS,
	REPORT_HOT_CALLS,
	REPORT_HOT_TABLES,
};

/* With all tables 0: empty. */
struct report_hot {
	const struct symbols *names; /* sorted; may be empty */
	struct report_counts tables[REPORT_HOT_TABLES];
};

/* Counts an event where it belongs. False: out of memory, error set. */
bool report_hot_add(struct report_hot *hot, const struct event *event, struct error *error);
/* Writes the tables as one JSON object. */
void report_hot_json(const struct report_hot *hot, struct json *json);
void report_hot_free(struct report_hot *hot);
