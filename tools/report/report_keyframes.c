/* A keyframe's guest time is known when the scan comes to the event after it. */
#include "tools/report/report_keyframes.h"

#include <stdlib.h>

enum { SHOWN_MAX = 200 };

bool report_keyframes_get(struct report_keyframes *keyframes, struct trace_reader *trace, struct error *error)
{
	if (!trace_get_keyframes(trace, &keyframes->rows, &keyframes->count, error))
		return false;
	keyframes->idle_ns = calloc(keyframes->count + 1, sizeof(*keyframes->idle_ns));
	return keyframes->idle_ns || error_set(error, STATUS_FAILED, "out of memory");
}

void report_keyframes_add(struct report_keyframes *keyframes, const struct report_place *place)
{
	while (keyframes->passed < keyframes->count && keyframes->rows[keyframes->passed].next_event <= place->index)
		keyframes->idle_ns[keyframes->passed++] = place->idle_ns;
}

void report_keyframes_json(const struct report_keyframes *keyframes, struct json *json)
{
	size_t every = keyframes->passed / SHOWN_MAX + 1;
	json_array(json, "keyframes");
	for (size_t i = 0; i < keyframes->passed; i += every) {
		uint64_t n = keyframes->rows[i].n;
		json_array(json, NULL);
		json_number(json, NULL, n);
		json_number(json, NULL, n + keyframes->idle_ns[i]);
		json_array_end(json);
	}
	json_array_end(json);
}

void report_keyframes_free(struct report_keyframes *keyframes)
{
	free(keyframes->rows);
	free(keyframes->idle_ns);
}
