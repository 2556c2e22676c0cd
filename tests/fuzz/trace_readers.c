/* The readers that fuzz_trace.c runs on each file. Each stops at the first error, as hvrec does, and is given a sound
 * file as often as a damaged one. */
#include "tests/fuzz/trace_readers.h"
#include "replay/event_text.h"
#include "replay/events.h"
#include "storage/trace.h"
#include "storage/trace_repair.h"
#include "tests/fuzz/random.h"
#include "tools/commands.h"

#include <getopt.h>
#include <stdlib.h>

enum { BATCH_EVENTS = 512, TEXTS_MAX = 300 };

static bool file_read(const char *name, void *context, struct error *error)
{
	void *data = NULL;
	size_t bytes = 0;
	if (trace_get_file(context, name, &data, &bytes, error) == TRACE_FOUND)
		free(data);
	return true;
}

static void read_files(struct trace_reader *trace, struct error *error)
{
	trace_each_file(trace, file_read, trace, error);
}

static void read_metadata(struct trace_reader *trace, struct error *error)
{
	static const char *const keys[] = {"bootargs", "ram_bytes"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char *text = NULL;
		uint64_t value = 0;
		if (trace_get_text(trace, keys[i], &text, error) == TRACE_FOUND)
			free(text);
		trace_get_u64(trace, keys[i], &value, error);
	}
}

static void read_events(struct trace_reader *trace, struct error *error)
{
	static struct event events[BATCH_EVENTS];
	uint64_t first = random_below(2) ? 0 : random_below(400);
	struct trace_cursor *cursor = trace_seek(trace, first, error);
	int64_t got = cursor ? 1 : 0;
	for (unsigned texts = 0; got > 0;) {
		char text[EVENT_TEXT_BYTES];
		got = trace_next(cursor, events, 1 + random_below(BATCH_EVENTS), error);
		for (int64_t i = 0; i < got && texts < TEXTS_MAX; i++, texts++)
			event_text_line(&events[i], text, sizeof(text));
	}
	if (cursor)
		trace_cursor_idle_ns(cursor);
	trace_cursor_free(cursor);
}

static void read_window(struct trace_reader *trace, struct error *error)
{
	struct events *events = events_open(trace, error);
	if (!events)
		return;
	uint64_t count = events_count(events);
	if (random_below(2))
		events_find(events, random_below(100000), error);
	else if (count > 0)
		events_get(events, random_below(count), error);
	events_close(events);
}

/* The tables. */
struct reader {
	void (*run)(struct trace_reader *trace, struct error *error);
};

static const struct reader readers[] = {{read_files}, {read_metadata}, {read_events}, {read_window}};

struct command_reader {
	void (*run)(int argc, char **argv, struct error *error);
	const char *option; /* or NULL */
};

static const struct command_reader commands[] = {{info_command, NULL}, {info_command, "--json"}};

static void command_run(const struct command_reader *command, const char *path)
{
	struct error error = {.status = STATUS_OK};
	char *argv[] = {(char *)"command", (char *)path, (char *)command->option, NULL};
	optind = 0; /* getopt starts anew */
	command->run(command->option ? 3 : 2, argv, &error);
}

void trace_readers_run(const char *path)
{
	struct error error = {.status = STATUS_OK};
	struct trace_reader *trace = trace_open(path, &error);
	for (size_t i = 0; trace && i < sizeof(readers) / sizeof(readers[0]); i++) {
		error = (struct error){.status = STATUS_OK};
		readers[i].run(trace, &error);
	}
	trace_close(trace);
	struct trace_repair_report report;
	error = (struct error){.status = STATUS_OK};
	trace_repair_survey(path, &report, &error);
	command_run(&commands[random_below(sizeof(commands) / sizeof(commands[0]))], path);
}
