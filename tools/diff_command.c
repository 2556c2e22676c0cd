/* hvrec diff: where two recordings of the same guest first differ, and the events around it side by side.
 *
 * The first differing event is mostly an interrupt that came a few instructions earlier or later. So it is also told
 * where they first differ in more than time and place (KASLR), where the guest itself first did something else, and
 * where something else was typed. */
#include "hv/host/sandbox.h"
#include "replay/trace/event_text.h"
#include "replay/trace/metadata.h"
#include "replay/trace/numbers.h"
#include "replay/trace/trace_diff.h"
#include "tools/commands.h"
#include "tools/options.h"
#include "tools/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXT_DEFAULT = 3, CONTEXT_MAX = 10000 };
enum { WIDTH_DEFAULT = 180, COLUMN_MIN = 60, ROW_BYTES = EVENT_TEXT_BYTES + 128 };

static const char *const titles[TRACE_DIFF_COUNT] = {
	[TRACE_DIFF_EXACT] = "first difference",
	[TRACE_DIFF_TIME] = "first difference in more than time and place",
	[TRACE_DIFF_TRAPS] = "first such difference in what the guest itself did (traps)",
	[TRACE_DIFF_DIGITS] = "first such difference, whatever digits it prints",
	[TRACE_DIFF_INPUT] = "first difference in console input",
};

struct comparison {
	const char *paths[2];
	struct trace_reader *traces[2];
	struct virtio_list devices[2];
	uint64_t context;
	uint64_t input_count; /* inputs that differ */
	struct trace_diff_place places[TRACE_DIFF_COUNT];
};

/* A value of one side; one of several lines, as the list of devices, stands below its first. */
static void print_value(char side, const char *value)
{
	printf("    %c  ", side);
	do {
		size_t bytes = strcspn(value, "\n");
		printf("%.*s\n", (int)bytes, value);
		value += bytes + (value[bytes] == '\n');
		if (*value)
			printf("       ");
	} while (*value);
}

static void print_input(const char *name, const char *a, const char *b, void *context)
{
	struct comparison *c = context;
	if (c->input_count++ == 0)
		puts("They begin with different");
	printf("  %s\n", name);
	if (a && b) {
		print_value('A', a);
		print_value('B', b);
	}
}

/* One side of a row; empty after the last event. */
static void row_text(const struct event_at *at, const struct virtio_list *devices, char *text, size_t bytes)
{
	char meaning[EVENT_TEXT_BYTES];
	event_text_meaning(&at->event, devices, meaning, sizeof(meaning));
	snprintf(text, bytes, "%9" PRIu64 " %13" PRIu64 "  %s  @%" PRIx64, at->index, at->event.n, meaning,
		 at->event.pc);
}

static void print_row(const struct comparison *c, const struct event_at *a, const struct event_at *b, bool has_a,
		      bool has_b)
{
	size_t width = output_width();
	size_t column = ((width > 0 ? width : WIDTH_DEFAULT) - 3) / 2;
	char left[ROW_BYTES] = "", right[ROW_BYTES] = "";
	if (column < COLUMN_MIN)
		column = COLUMN_MIN;
	if (has_a)
		row_text(a, &c->devices[0], left, sizeof(left));
	if (has_b)
		row_text(b, &c->devices[1], right, sizeof(right));
	bool same = has_a && has_b && trace_diff_same(&a->event, &b->event, TRACE_DIFF_EXACT);
	printf("%-*.*s %c %.*s\n", (int)column, (int)column, left, same ? ' ' : '|', (int)column, right);
}

static struct event_stream *stream_near(struct trace_reader *trace, uint64_t index, uint64_t before,
					struct error *error)
{
	return event_stream_open(trace_seek(trace, index > before ? index - before : 0, error), error);
}

/* The events around the two, as many before each. */
static bool print_around(const struct comparison *c, const struct trace_diff_place *place, struct error *error)
{
	struct event_at a = {0}, b = {0};
	uint64_t before = c->context;
	uint64_t before_a = place->a.index - trace_first_event(c->traces[0]);
	uint64_t before_b = place->b.index - trace_first_event(c->traces[1]);
	before = before_a < before ? before_a : before;
	before = before_b < before ? before_b : before;
	struct event_stream *in_a = stream_near(c->traces[0], place->a.index, before, error);
	struct event_stream *in_b = stream_near(c->traces[1], place->b.index, before, error);
	for (uint64_t i = 0; in_a && in_b && i < before + 1 + c->context && output_good(); i++) {
		bool has_a = event_stream_next(in_a, &a, error), has_b = event_stream_next(in_b, &b, error);
		if (!has_a && !has_b)
			break;
		print_row(c, &a, &b, has_a, has_b);
	}
	event_stream_free(in_a);
	event_stream_free(in_b);
	return error->status == STATUS_OK;
}

static void print_side(char side, const struct event_at *at, bool there, bool complete)
{
	if (there)
		printf("  %c  event %" PRIu64 ", n %" PRIu64 "\n", side, at->index, at->event.n);
	else
		printf("  %c  ends: %" PRIu64 " events%s\n", side, at->index, complete ? "" : ", an incomplete trace");
}

static bool print_place(const struct comparison *c, enum trace_diff_by by, struct error *error)
{
	const struct trace_diff_place *place = &c->places[by];
	printf("%s\n", titles[by]);
	print_side('A', &place->a, place->has_a, trace_is_complete(c->traces[0]));
	print_side('B', &place->b, place->has_b, trace_is_complete(c->traces[1]));
	return print_around(c, place, error);
}

/* Whether a place is the same as one that was printed already. */
static bool is_known(const struct comparison *c, enum trace_diff_by by)
{
	for (int earlier = 0; earlier < (int)by; earlier++) {
		const struct trace_diff_place *place = &c->places[earlier];
		if (place->differs && place->a.index == c->places[by].a.index &&
		    place->b.index == c->places[by].b.index)
			return true;
	}
	return false;
}

static bool events_compare(struct comparison *c, struct error *error)
{
	for (int by = TRACE_DIFF_EXACT; by < TRACE_DIFF_COUNT; by++) {
		if (!trace_diff_find(c->traces[0], c->traces[1], (enum trace_diff_by)by, &c->places[by], error))
			return false;
		if (by == TRACE_DIFF_EXACT && !c->places[by].differs)
			return true;
		if (!c->places[by].differs)
			printf("no %s\n", titles[by] + strlen("first "));
		else if (is_known(c, (enum trace_diff_by)by))
			printf("%s: the same place\n", titles[by]);
		else if (!print_place(c, (enum trace_diff_by)by, error))
			return false;
	}
	return true;
}

/* Whether the final states are known and differ. */
static bool states_differ(const struct comparison *c, struct error *error)
{
	char *hashes[2] = {NULL, NULL};
	for (int i = 0; i < 2; i++)
		trace_get_text(c->traces[i], TRACE_META_FINAL_STATE_HASH, &hashes[i], error);
	bool differ = hashes[0] && hashes[1] && strcmp(hashes[0], hashes[1]) != 0;
	free(hashes[0]);
	free(hashes[1]);
	return differ;
}

static void compare(struct comparison *c, struct error *error)
{
	if (!trace_diff_inputs(c->traces[0], c->traces[1], print_input, c, error))
		return;
	uint64_t first_n = trace_diff_first_n(c->traces[0], c->traces[1]);
	if (first_n > 0)
		printf("One of them starts later: compared from n %" PRIu64 " on\n", first_n);
	if (!events_compare(c, error) || !output_end(error))
		return;
	const struct trace_diff_place *first = &c->places[TRACE_DIFF_EXACT];
	bool complete = trace_is_complete(c->traces[0]) && trace_is_complete(c->traces[1]);
	if (first->differs)
		error_set(error, STATUS_DIVERGED, "%s and %s differ from event %" PRIu64 " on", c->paths[0],
			  c->paths[1], first->a.index);
	else if (c->input_count > 0)
		error_set(error, STATUS_DIVERGED, "%s and %s have the same events, but begin differently", c->paths[0],
			  c->paths[1]);
	else if (states_differ(c, error))
		error_set(error, STATUS_DIVERGED, "%s and %s have the same events, but end in different states",
			  c->paths[0], c->paths[1]);
	else if (error->status == STATUS_OK)
		printf("the same: %" PRIu64 " events%s\n", first->same_count,
		       complete ? "" : "; not both are complete");
	output_end(error);
}

static bool context_take(const char *option, const char *text, void *into, struct error *error)
{
	uint64_t *context = into;
	return (numbers_value(text, context) && *context <= CONTEXT_MAX) ||
	       error_set(error, STATUS_FAILED, "%s %s is not a number of events up to %d", option, text, CONTEXT_MAX);
}

static const struct option_row rows[] = {
	{"context", 0, "K", "print K events before and after a difference (default: 3)", context_take,
	 offsetof(struct comparison, context)},
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec diff A B [--context K]\n"
		"\n"
		"Compares two recordings of the same guest: what it began with, then the events. Exit status 0: they "
		"are\n"
		"the same; 2: they differ; 1: they could not be compared.\n",
	.rows = rows,
	.argument_min = 2,
	.argument_max = 2,
	.arguments = "two traces, A and B",
};

void diff_command(int argc, char **argv, struct error *error)
{
	struct comparison c = {.context = CONTEXT_DEFAULT};
	int first = options_parse(&command_options, argc, argv, &c, error);
	if (first == 0)
		return;
	sandbox_enter(&(struct sandbox_files){.traces = {argv[first], argv[first + 1]}},
		      SANDBOX_NO_NETWORK | SANDBOX_NO_PROCESSES);
	for (int i = 0; i < 2 && error->status == STATUS_OK; i++) {
		c.paths[i] = argv[first + i];
		c.traces[i] = trace_open(c.paths[i], error);
		if (c.traces[i])
			metadata_devices(c.traces[i], &c.devices[i], error);
	}
	if (error->status == STATUS_OK)
		compare(&c, error);
	for (int i = 0; i < 2; i++)
		trace_close(c.traces[i]);
}
