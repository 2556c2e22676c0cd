/* hvrec console: what the guest printed, from the trace alone; with times, and as places to travel to. */
#include "hv/host/event_console.h"
#include "hv/host/sandbox.h"
#include "replay/trace/console_lines.h"
#include "tools/commands.h"
#include "tools/options.h"
#include "tools/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct options {
	const char *find;
	bool timestamps, all;
};

static const struct option_row rows[] = {
	{"timestamps", 0, NULL, "each line with the guest time and the position at which it began", options_flag,
	 offsetof(struct options, timestamps)},
	{"find", 0, "TEXT", "only the first line with TEXT, and how to go there in gdb; exit status 1 if there is none",
	 options_text, offsetof(struct options, find)},
	{"all", 0, NULL, "all lines with TEXT", options_flag, offsetof(struct options, all)},
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec console TRACE [OPTIONS]\n"
		"\n"
		"Prints what the guest printed, byte for byte.\n",
	.rows = rows,
	.argument_min = 1,
	.argument_max = 1,
	.arguments = "one TRACE",
};

/* Control characters but tabs are left out: they are for the terminal that the guest has. */
static void print_text(const char *text)
{
	for (; *text; text++) {
		if (((unsigned char)*text >= ' ' && *text != 0x7f) || *text == '\t')
			putchar(*text);
	}
	putchar('\n');
}

/* The time is that of the kernel's own messages: microseconds of guest time, dmesg-like. */
static void print_line(const struct console_line *line, uint64_t n)
{
	uint64_t us = line->guest_ns / 1000;
	printf("[%5" PRIu64 ".%06" PRIu64 "] %14" PRIu64 "  ", us / 1000000, us % 1000000, n);
	print_text(line->text);
}

static void print_found(const struct console_line *line)
{
	print_line(line, line->found_n);
	printf("  monitor seek %" PRIu64 "\n", line->found_n);
}

static void print_bytes(struct event_stream *stream, struct error *error)
{
	struct event_at at;
	uint8_t byte;
	while (output_good() && event_stream_next(stream, &at, error)) {
		if (event_console_bytes(&at.event, 1, &byte) == 1)
			putchar(byte);
	}
}

/* Calls print_line for each line, or print_found for the one, or all, that have the text. */
static void print_lines(struct event_stream *stream, const struct options *options, struct error *error)
{
	static struct console_lines lines;
	struct event_at at;
	bool more = true;
	uint64_t found_count = 0;
	console_lines_start(&lines, options->find);
	while (more && output_good() && (options->all || found_count == 0)) {
		more = event_stream_next(stream, &at, error);
		if (more ? !console_lines_take(&lines, &at) : !console_lines_end(&lines))
			continue;
		if (!options->find)
			print_line(&lines.line, lines.line.n);
		else if (lines.line.found)
			print_found(&lines.line);
		found_count += lines.line.found;
	}
	if (options->find && found_count == 0 && output_good())
		error_set(error, STATUS_FAILED, "the guest does not print \"%s\"", options->find);
}

static bool options_agree(const struct options *options, struct error *error)
{
	if (options->all && !options->find)
		return error_set(error, STATUS_FAILED, "--all goes with --find TEXT");
	size_t length = options->find ? strlen(options->find) : 1;
	return (length >= 1 && length <= CONSOLE_FIND_BYTES_MAX) ||
	       error_set(error, STATUS_FAILED, "--find takes a text of 1 to %d bytes", CONSOLE_FIND_BYTES_MAX);
}

void console_command(int argc, char **argv, struct error *error)
{
	struct options options = {0};
	int first = options_parse(&command_options, argc, argv, &options, error);
	if (first == 0 || !options_agree(&options, error))
		return;
	sandbox_enter(&(struct sandbox_files){.traces = {argv[first]}}, SANDBOX_NO_NETWORK | SANDBOX_NO_PROCESSES);
	struct trace_reader *trace = trace_open(argv[first], error);
	struct event_stream *stream = trace ? event_stream_open(trace_seek(trace, 0, error), error) : NULL;
	if (stream && (options.timestamps || options.find))
		print_lines(stream, &options, error);
	else if (stream)
		print_bytes(stream, error);
	event_stream_free(stream);
	trace_close(trace);
	output_end(error);
}
