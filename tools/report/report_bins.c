/* Filling the bins, and writing them: bins without events are left out. */
#include "tools/report/report_bins.h"

#include <stdlib.h>
#include <string.h>

struct report_bins *report_bins_new(uint64_t length_ns, struct error *error)
{
	struct report_bins *bins = calloc(1, sizeof(*bins));
	if (bins)
		bins->bin_ns = length_ns / REPORT_BIN_COUNT + 1;
	else
		error_set(error, STATUS_FAILED, "out of memory");
	return bins;
}

size_t report_bins_index(const struct report_bins *bins, uint64_t time_ns)
{
	uint64_t bin = time_ns / bins->bin_ns;
	return bin < REPORT_BIN_COUNT ? (size_t)bin : REPORT_BIN_COUNT - 1;
}

void report_bins_spread(const struct report_bins *bins, uint64_t values_ns[REPORT_BIN_COUNT], uint64_t from_ns,
			uint64_t ns)
{
	size_t bin = report_bins_index(bins, from_ns);
	uint64_t inside_ns = from_ns % bins->bin_ns;
	while (ns > 0) {
		uint64_t room_ns = bin == REPORT_BIN_COUNT - 1 ? ns : bins->bin_ns - inside_ns;
		uint64_t part_ns = ns < room_ns ? ns : room_ns;
		values_ns[bin++] += part_ns;
		ns -= part_ns;
		inside_ns = 0;
	}
}

void report_bins_add(struct report_bins *bins, const struct event *event, const struct report_place *place)
{
	uint64_t time_ns = event->n + place->idle_ns;
	size_t bin = report_bins_index(bins, time_ns);
	uint8_t byte;
	bins->counts[report_scan_kind(event)][bin]++;
	if (bins->events[bin]++ == 0)
		bins->first_n[bin] = event->n;
	if (report_scan_console(event, &byte))
		bins->counts[REPORT_SERIES_CONSOLE][bin]++;
	if (event->kind == EVENT_IDLE)
		report_bins_spread(bins, bins->idle_ns, time_ns, event->value);
}

static int by_value(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return (left > right) - (left < right);
}

uint64_t report_bins_threshold(const struct report_bins *bins, uint64_t event_count_max)
{
	static uint64_t sorted[REPORT_BIN_COUNT];
	uint64_t sum = 0, threshold = 0;
	memcpy(sorted, bins->events, sizeof(sorted));
	qsort(sorted, REPORT_BIN_COUNT, sizeof(sorted[0]), by_value);
	for (size_t i = 0; i < REPORT_BIN_COUNT; i++) {
		sum += sorted[i];
		bool last_of_its_size = i + 1 == REPORT_BIN_COUNT || sorted[i + 1] != sorted[i];
		if (sum > event_count_max)
			break;
		if (last_of_its_size)
			threshold = sorted[i];
	}
	return threshold;
}

void report_bins_sparse_json(const uint64_t *values, const char *key, struct json *json)
{
	size_t last = 0;
	json_array(json, key);
	for (size_t i = 0; i < REPORT_BIN_COUNT; i++) {
		if (values[i] == 0)
			continue;
		json_number(json, NULL, i - last);
		json_number(json, NULL, values[i]);
		last = i;
	}
	json_array_end(json);
}

void report_bins_json(const struct report_bins *bins, struct json *json)
{
	json_object(json, "bins");
	json_number(json, "ns", bins->bin_ns);
	json_number(json, "count", REPORT_BIN_COUNT);
	json_array(json, "series");
	for (int series = 0; series < REPORT_SERIES_COUNT; series++)
		report_bins_sparse_json(bins->counts[series], NULL, json);
	json_array_end(json);
	json_break(json);
	report_bins_sparse_json(bins->idle_ns, "idle", json);
	json_break(json);
	report_bins_sparse_json(bins->first_n, "first_n", json);
	json_object_end(json);
}
