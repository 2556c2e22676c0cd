/* hvrec console: what the guest printed, from the trace alone; with times, and as places to travel to. */
#include "hv/host/event_console.h"
#include "hv/host/sandbox.h"
#include "replay/trace/console_lines.h"
#include "tools/commands.h"
#include "tools/output.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: hvrec console TRACE [OPTIONS]\n"
	"\n"
	"Prints what the guest printed, byte for byte.\n"
	"\n"
	"  --timestamps      each line with the guest time and the position at which it began\n"
	"  --find TEXT       only the first line with TEXT, and how to go there in gdb; exit status 1 if "
	"there is none\n"
	"  --all             all lines with TEXT\n";

enum { OPTION_TIMESTAMPS = 256, OPTION_FIND, OPTION_ALL, OPTION_HELP };

static const struct option long_options[] = {
	{"timestamps", no_argument, NULL, OPTION_TIMESTAMPS},
	{"find", required_argument, NULL, OPTION_FIND},
	{"all", no_argument, NULL, OPTION_ALL},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

struct options {
	const char *find;
	bool timestamps, all, help;
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

static bool options_check(const struct options *options, struct error *error)
{
	if (options->all && !options->find)
		return error_set(error, STATUS_FAILED, "--all goes with --find TEXT");
	size_t length = options->find ? strlen(options->find) : 1;
	return (length >= 1 && length <= CONSOLE_FIND_BYTES_MAX) ||
	       error_set(error, STATUS_FAILED, "--find takes a text of 1 to %d bytes", CONSOLE_FIND_BYTES_MAX);
}

static bool options_take(struct options *options, int argc, char **argv, struct error *error)
{
	int option;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
		if (option == OPTION_TIMESTAMPS)
			options->timestamps = true;
		else if (option == OPTION_FIND)
			options->find = optarg;
		else if (option == OPTION_ALL)
			options->all = true;
		else if (option == OPTION_HELP)
			options->help = true;
		else
			return error_set(error, STATUS_FAILED,
					 "unknown option or missing value; see `hvrec console --help`");
	}
	if (!options->help && argc - optind != 1)
		return error_set(error, STATUS_FAILED, "give one TRACE; see `hvrec console --help`");
	return options_check(options, error);
}

void console_command(int argc, char **argv, struct error *error)
{
	struct options options = {0};
	if (!options_take(&options, argc, argv, error))
		return;
	if (options.help) {
		fputs(help, stdout);
		return;
	}
	sandbox_enter(&(struct sandbox_files){.traces = {argv[optind]}}, SANDBOX_NO_NETWORK | SANDBOX_NO_PROCESSES);
	struct trace_reader *trace = trace_open(argv[optind], error);
	struct event_stream *stream = trace ? event_stream_open(trace_seek(trace, 0, error), error) : NULL;
	if (stream && (options.timestamps || options.find))
		print_lines(stream, &options, error);
	else if (stream)
		print_bytes(stream, error);
	event_stream_free(stream);
	trace_close(trace);
	output_end(error);
}
