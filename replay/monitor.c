/* The monitor commands: a table of words, each with its help. */
#include "replay/monitor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct session {
	struct timeline *timeline;
	struct gdbstub *stub;
};

__attribute__((format(printf, 2, 3))) static void print(const struct session *session, const char *format, ...)
{
	char text[1024];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length > 0)
		gdbstub_print(session->stub, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

static bool when(const struct session *session, const char *argument)
{
	(void)argument;
	const struct guest_state *state = timeline_state(session->timeline);
	uint64_t end = timeline_end_n(session->timeline);
	print(session,
	      "instruction %" PRIu64 " of %" PRIu64 " (%.3f %%), guest time %.9f s, event %" PRIu64 ", vcpu %u\n",
	      state->n, end, end > 0 ? 100.0 * (double)state->n / (double)end : 100.0,
	      (double)(state->n + state->idle_ns) / 1e9, engine_next_event(timeline_engine(session->timeline)),
	      state->current);
	return true;
}

static bool go(const struct session *session, uint64_t n)
{
	struct error error = {.status = STATUS_OK};
	if (!timeline_goto(session->timeline, n, &error)) {
		print(session, "%s\n", error.text);
		return false;
	}
	return when(session, "");
}

static bool go_to_event(const struct session *session, const char *text)
{
	struct error error = {.status = STATUS_OK};
	struct events *events = timeline_engine(session->timeline)->events;
	char *end;
	uint64_t index = strtoull(text, &end, 0);
	if (end == text || *end || index >= events_count(events)) {
		print(session, "there are events 0 to %" PRIu64 "\n", events_count(events) - 1);
		return false;
	}
	const struct event *event = events_get(events, index, &error);
	if (!event) {
		print(session, "%s\n", error.text);
		return false;
	}
	return go(session, event->n);
}

static bool seek(const struct session *session, const char *argument)
{
	char *end;
	uint64_t end_n = timeline_end_n(session->timeline);
	if (strcmp(argument, "start") == 0)
		return go(session, 0);
	if (strcmp(argument, "end") == 0)
		return go(session, end_n);
	if (strncmp(argument, "event ", 6) == 0)
		return go_to_event(session, argument + 6);
	double percent = strtod(argument, &end);
	if (end != argument && strcmp(end, "%") == 0 && percent >= 0 && percent <= 100)
		return go(session, (uint64_t)((double)end_n * percent / 100));
	uint64_t n = strtoull(argument, &end, 0);
	if (end == argument || *end) {
		print(session, "seek where? N, PERCENT%%, event K, start or end\n");
		return false;
	}
	return go(session, n);
}

static bool back(const struct session *session, const char *argument)
{
	uint64_t n = timeline_n(session->timeline), distance = *argument ? strtoull(argument, NULL, 0) : 1;
	return go(session, distance < n ? n - distance : 0);
}

static bool forward(const struct session *session, const char *argument)
{
	return go(session, timeline_n(session->timeline) + (*argument ? strtoull(argument, NULL, 0) : 1));
}

static bool checkpoints(const struct session *session, const char *argument)
{
	(void)argument;
	const struct checkpoints *all = timeline_checkpoints(session->timeline);
	for (size_t i = 0; i < all->count; i++)
		print(session, "%3zu  instruction %" PRIu64 ", %zu pages\n", i, all->at[i].n, all->at[i].page_count);
	return true;
}

static bool phys(const struct session *session, const char *argument)
{
	if (strcmp(argument, "on") != 0 && strcmp(argument, "off") != 0) {
		print(session, "memory is read by %s address; phys on or phys off\n",
		      gdbstub_physical(session->stub) ? "physical" : "virtual");
		return *argument == 0;
	}
	gdbstub_set_physical(session->stub, strcmp(argument, "on") == 0);
	return true;
}

static bool help(const struct session *session, const char *argument);

static const struct row {
	const char *word;
	bool (*run)(const struct session *session, const char *argument);
	const char *help;
} rows[] = {
	{"when", when, "when                     where this is: instruction, guest time, event"},
	{"seek", seek, "seek N | P% | event K | start | end   go there"},
	{"back", back, "back [N]                 N instructions back"},
	{"forward", forward, "forward [N]              N instructions on"},
	{"checkpoints", checkpoints, "checkpoints              the places that are kept in memory"},
	{"phys", phys, "phys [on|off]            read memory by physical address"},
	{"help", help, "help                     this"},
};

static bool help(const struct session *session, const char *argument)
{
	(void)argument;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		print(session, "monitor %s\n", rows[i].help);
	return true;
}

bool monitor_command(struct timeline *timeline, struct gdbstub *stub, const char *line)
{
	struct session session = {timeline, stub};
	size_t length = strcspn(line, " ");
	const char *argument = line + length + strspn(line + length, " ");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strlen(rows[i].word) == length && strncmp(rows[i].word, line, length) == 0)
			return rows[i].run(&session, argument);
	}
	print(&session, "there is no command '%s'; monitor help lists them\n", line);
	return false;
}
