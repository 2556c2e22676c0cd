/* The tables of the page: what the guest's exits were about. Exits by reason, interrupts, device registers, system
 * registers and calls, and the pcs that trapped, the most frequent of each. */
#pragma once
#include "tools/report_counts.h"
#include "tools/report_scan.h"
#include <stdio.h>

enum report_hot_table {
	REPORT_HOT_REGISTERS,
	REPORT_HOT_PCS,
	REPORT_HOT_INTERRUPTS,
	REPORT_HOT_EXITS,
	REPORT_HOT_CALLS,
	REPORT_HOT_TABLES,
};

/* All 0: empty. */
struct report_hot {
	struct report_counts tables[REPORT_HOT_TABLES];
};

/* Counts an event where it belongs. False: out of memory, error set. */
bool report_hot_add(struct report_hot *hot, const struct event *event, struct error *error);
/* Writes the tables as one JSON object. */
void report_hot_json(const struct report_hot *hot, FILE *out);
void report_hot_free(struct report_hot *hot);
