/* The trace's events: printed, and as places to go to. */
#include "replay/debugger/monitor_session.h"
#include "replay/trace/event_filter.h"
#include "replay/trace/event_text.h"
#include "replay/trace/numbers.h"
#include "replay/trace/words.h"

#include <inttypes.h>
#include <string.h>

enum { AROUND_BEFORE = 5, AROUND_COUNT = 10, PRINTED_MAX = 100 };

static struct events *events_of(const struct monitor *monitor)
{
	return engine_events(timeline_engine(monitor->timeline));
}

static const struct virtio_list *devices_of(const struct monitor *monitor)
{
	return engine_devices(timeline_engine(monitor->timeline));
}

static bool print_event(struct monitor *monitor, uint64_t index)
{
	struct error error = {.status = STATUS_OK};
	const struct event *event = events_get(events_of(monitor), index, &error);
	char line[EVENT_TEXT_BYTES];
	if (!event)
		return monitor_fail(monitor, "%s\n", error.text);
	bool next = index == engine_next_event(timeline_engine(monitor->timeline));
	event_text_line(event, devices_of(monitor), line, sizeof(line));
	monitor_print(monitor, "%s %8" PRIu64 " %s\n", next ? "=>" : "  ", index, line);
	return true;
}

/* Events `first` to before `end`. */
static bool print_events(struct monitor *monitor, uint64_t first, uint64_t end)
{
	uint64_t printed_end = end - first > PRINTED_MAX ? first + PRINTED_MAX : end;
	monitor_print(monitor, "      event            n  pc                vcpu; => is the next one from here\n");
	for (uint64_t i = first; i < printed_end; i++) {
		if (!print_event(monitor, i))
			return false;
	}
	if (printed_end < end)
		monitor_print(monitor, "%" PRIu64 " more: events %" PRIu64 "..%" PRIu64 "\n", end - printed_end,
			      printed_end, end - 1);
	return true;
}

static bool events_by_position(struct monitor *monitor, const char *argument)
{
	struct error error = {.status = STATUS_OK};
	uint64_t from, to;
	if (!numbers_range(argument, numbers_count, &from, &to))
		return monitor_fail(monitor, "events n takes two positions, such as 10M..12M\n");
	uint64_t first = events_find(events_of(monitor), from, &error);
	uint64_t end =
		to == UINT64_MAX ? events_count(events_of(monitor)) : events_find(events_of(monitor), to + 1, &error);
	if (error.status != STATUS_OK)
		return monitor_fail(monitor, "%s\n", error.text);
	if (first >= end)
		return monitor_fail(monitor, "no event there\n");
	return print_events(monitor, first, end);
}

bool monitor_events(struct monitor *monitor, const char *argument)
{
	uint64_t first = events_first(events_of(monitor)), count = events_count(events_of(monitor)), from, to;
	const char *positions = words_after(argument, "n");
	if (positions)
		return events_by_position(monitor, positions);
	if (*argument == 0) {
		uint64_t next = engine_next_event(timeline_engine(monitor->timeline));
		from = next - first > AROUND_BEFORE ? next - AROUND_BEFORE : first;
		return print_events(monitor, from, count - from < AROUND_COUNT ? count : from + AROUND_COUNT);
	}
	if (numbers_value(argument, &from))
		to = from;
	else if (!numbers_range(argument, numbers_value, &from, &to))
		return monitor_fail(monitor, "events takes numbers of events, FROM..TO, or positions, n FROM..TO\n");
	if (from < first || from >= count)
		return monitor_fail(monitor, "the trace has events %" PRIu64 " to %" PRIu64 "\n", first, count - 1);
	return print_events(monitor, from, to < count ? to + 1 : count);
}

/* Goes to the next position after this one, or the last one before it, that has an event like that. */
static bool go_to_wanted(struct monitor *monitor, const struct event_filter *wanted, bool forwards)
{
	struct error error = {.status = STATUS_OK};
	struct events *events = events_of(monitor);
	struct timeline_place origin = timeline_place(monitor->timeline);
	uint64_t count = events_count(events);
	uint64_t index = events_find(events, forwards ? origin.n + 1 : origin.n, &error);
	while (error.status == STATUS_OK && (forwards ? index < count : index > events_first(events))) {
		uint64_t at = forwards ? index++ : --index;
		const struct event *event = monitor_event(monitor, at, &error);
		if (!event || !event_filter_wants(wanted, event))
			continue;
		if (monitor_place_go(monitor, event->n) && print_event(monitor, at) && monitor_place_when(monitor, ""))
			return true;
		monitor_place_return(monitor, origin);
		return false;
	}
	if (error.status != STATUS_OK)
		return monitor_fail(monitor, "%s\n", error.text);
	return monitor_fail(monitor, "there is none %s here\n", forwards ? "after" : "before");
}

static bool go_irq(struct monitor *monitor, const char *argument, bool forwards)
{
	struct event_filter wanted = event_filter_all;
	event_filter_add(&wanted, "irq");
	if (*argument) {
		if (!numbers_value(argument, &wanted.first_address))
			return monitor_fail(monitor, "%s is not the number of an interrupt (INTID)\n", argument);
		wanted.by_address = true;
		wanted.last_address = wanted.first_address;
	}
	return go_to_wanted(monitor, &wanted, forwards);
}

static bool go_mmio(struct monitor *monitor, const char *argument, bool forwards)
{
	struct event_filter wanted = event_filter_all;
	event_filter_add(&wanted, "mmio");
	if (*argument && !event_filter_address(&wanted, devices_of(monitor), argument))
		return monitor_fail(monitor,
				    "%s is neither a physical address, FROM..TO, nor one of uart, rtc, gicd, "
				    "gicr, virtio, nor a disk\n",
				    argument);
	return go_to_wanted(monitor, &wanted, forwards);
}

/* What a disk did: any, or the one that is named. */
static bool go_disk(struct monitor *monitor, const char *argument, bool forwards)
{
	struct event_filter wanted = event_filter_all;
	event_filter_add(&wanted, "disk");
	if (*argument && (virtio_list_find(devices_of(monitor), argument) < 0 ||
			  !event_filter_address(&wanted, devices_of(monitor), argument)))
		return monitor_fail(monitor, "%s is no disk of this guest\n", argument);
	return go_to_wanted(monitor, &wanted, forwards);
}

/* A packet: to the guest (in), from it (out), or either. */
static bool go_packet(struct monitor *monitor, const char *argument, bool forwards)
{
	struct event_filter wanted = event_filter_all;
	if (strcmp(argument, "in") == 0)
		event_filter_add(&wanted, "packet_in");
	else if (strcmp(argument, "out") == 0)
		event_filter_add(&wanted, "packet_out");
	else if (*argument == 0)
		event_filter_add(&wanted, "net");
	else
		return monitor_fail(monitor, "packet takes in, out, or nothing\n");
	return go_to_wanted(monitor, &wanted, forwards);
}

/* Where the turn changes: from any vCPU to any other, or from or to one. */
static bool go_switch(struct monitor *monitor, const char *argument, bool forwards)
{
	struct event_filter wanted = event_filter_all;
	event_filter_add(&wanted, "switch");
	if (*argument) {
		if (!numbers_value(argument, &wanted.vcpu) ||
		    wanted.vcpu >= timeline_state(monitor->timeline)->vcpu_count)
			return monitor_fail(monitor, "%s is not the number of a vCPU\n", argument);
		wanted.by_vcpu = true;
	}
	return go_to_wanted(monitor, &wanted, forwards);
}

/* hv's own exits, which the guest does not see. */
static bool go_exit(struct monitor *monitor, bool forwards)
{
	struct event_filter wanted = event_filter_all;
	event_filter_add(&wanted, "exception");
	return go_to_wanted(monitor, &wanted, forwards);
}

/* The text may be in quotes, to keep blanks at its ends. */
static bool go_console(struct monitor *monitor, const char *argument, bool forwards)
{
	char text[MONITOR_LINE_BYTES];
	size_t length = strlen(argument);
	bool quoted = length >= 2 && argument[0] == '"' && argument[length - 1] == '"';
	if (length == 0 || length >= sizeof(text) || (quoted && length == 2))
		return monitor_fail(monitor, "console takes the text to look for\n");
	memcpy(text, argument + (quoted ? 1 : 0), length + 1);
	if (quoted)
		text[length - 2] = 0;
	return monitor_console_go(monitor, text, forwards);
}

static bool go_to(struct monitor *monitor, const char *argument, bool forwards)
{
	const char *rest;
	if ((rest = words_after(argument, "irq")) != NULL)
		return go_irq(monitor, rest, forwards);
	if ((rest = words_after(argument, "mmio")) != NULL)
		return go_mmio(monitor, rest, forwards);
	if ((rest = words_after(argument, "disk")) != NULL)
		return go_disk(monitor, rest, forwards);
	if ((rest = words_after(argument, "packet")) != NULL)
		return go_packet(monitor, rest, forwards);
	if ((rest = words_after(argument, "switch")) != NULL)
		return go_switch(monitor, rest, forwards);
	if ((rest = words_after(argument, "console")) != NULL)
		return go_console(monitor, rest, forwards);
	if ((rest = words_after(argument, "exception")) != NULL)
		return monitor_exceptions_go(monitor, rest, forwards);
	if (strcmp(argument, "exit") == 0)
		return go_exit(monitor, forwards);
	return monitor_fail(
		monitor,
		"to the %s what? irq [INTID], mmio [RANGE], exception [KIND], exit, switch [VCPU], disk [NAME], "
		"packet [in|out] or console TEXT\n",
		forwards ? "next" : "previous");
}

bool monitor_events_next(struct monitor *monitor, const char *argument)
{
	return go_to(monitor, argument, true);
}

bool monitor_events_prev(struct monitor *monitor, const char *argument)
{
	return go_to(monitor, argument, false);
}
