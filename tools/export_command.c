/* hvrec export: a trace for other programs. */
#include "hv/host/path.h"
#include "hv/host/sandbox.h"
#include "tools/commands.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/report/export_pcapng.h"
#include "tools/report/export_perfetto.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct export_options {
	const char *format;
	const char *output; /* NULL: standard output */
};

static const struct option_row rows[] = {
	{"format", 0, "FORMAT", "perfetto: a timeline; pcapng: the packets", options_text,
	 offsetof(struct export_options, format)},
	{"output", 'o', "FILE", "(default: standard output)", options_text, offsetof(struct export_options, output)},
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec export TRACE --format perfetto|pcapng [OPTIONS]\n"
		"\n"
		"perfetto: Trace Event JSON, which ui.perfetto.dev, chrome://tracing and other viewers open. pcapng: "
		"all\n"
		"packets with guest time, and their position as a comment, for Wireshark, tshark and tcpdump.\n",
	.rows = rows,
	.argument_min = 1,
	.argument_max = 1,
	.arguments = "one TRACE",
};

/* `name` is the trace's. What was written before damage is whole in its format. */
typedef bool write_fn(struct trace_reader *trace, const char *name, FILE *to, struct error *error);

static bool write_pcapng(struct trace_reader *trace, const char *name, FILE *to, struct error *error)
{
	(void)name;
	return export_pcapng_write(trace, to, error);
}

static const struct format {
	const char *name;
	write_fn *write;
	bool is_text;
} formats[] = {{"perfetto", export_perfetto_write, true}, {"pcapng", write_pcapng, false}};

/* NULL: there is no such format; error set. */
static const struct format *format_find(const char *name, struct error *error)
{
	for (size_t i = 0; name && i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	}
	error_set(error, STATUS_FAILED, "give --format perfetto or pcapng%s%s", name ? ", not " : "", name ? name : "");
	return NULL;
}

static void write_file(struct trace_reader *trace, const struct format *format, const char *name, const char *path,
		       struct error *error)
{
	if (!path_replaceable(path, error))
		return;
	FILE *file = fopen(path, "we");
	if (!file) {
		error_set(error, STATUS_FAILED, "%s: cannot write: %s", path, strerror(errno));
		return;
	}
	format->write(trace, name, file, error);
	bool failed = ferror(file);
	if (fclose(file) || failed) {
		error_set(error, STATUS_FAILED, "%s: cannot write: %s; what is there is not whole", path,
			  strerror(errno));
	}
}

static void write_stdout(struct trace_reader *trace, const struct format *format, const char *name, struct error *error)
{
	format->write(trace, name, stdout, error);
	output_end(error);
}

static void run(const struct format *format, const char *path, const char *output, struct error *error)
{
	sandbox_enter(&(struct sandbox_files){.traces = {path}, .outputs = output},
		      SANDBOX_NO_NETWORK | SANDBOX_NO_PROCESSES);
	struct trace_reader *trace = trace_open(path, error);
	if (trace && output)
		write_file(trace, format, path, output, error);
	else if (trace)
		write_stdout(trace, format, path, error);
	trace_close(trace);
}

void export_command(int argc, char **argv, struct error *error)
{
	struct export_options options = {0};
	int first = options_parse(&command_options, argc, argv, &options, error);
	const struct format *format = first > 0 ? format_find(options.format, error) : NULL;
	if (!format)
		return;
	const char *output = options.output && strcmp(options.output, "-") != 0 ? options.output : NULL;
	if (!format->is_text && !output && isatty(STDOUT_FILENO))
		error_set(error, STATUS_FAILED, "%s is nothing for a terminal; give -o FILE", format->name);
	else
		run(format, argv[first], output, error);
}
