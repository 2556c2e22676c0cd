/* The report's keyframes: where a replay can start at once. */
#pragma once
#include "tools/json.h"
#include "tools/report/report_scan.h"

struct report_keyframes {
	struct trace_keyframe *rows;
	uint64_t *idle_ns; /* of the guest, before each */
	size_t count, passed;
};

/* Reads which there are. False: the trace cannot be read; error set. */
bool report_keyframes_get(struct report_keyframes *keyframes, struct trace_reader *trace, struct error *error);
/* Takes in the place of each event, in order. */
void report_keyframes_add(struct report_keyframes *keyframes, const struct report_place *place);
/* [[n, guest time], …], at most some hundred of them, evenly chosen. */
void report_keyframes_json(const struct report_keyframes *keyframes, struct json *json);
void report_keyframes_free(struct report_keyframes *keyframes);
