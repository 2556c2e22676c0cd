/* hvrec export: a trace for other programs. */
#include "hv/host/path.h"
#include "hv/host/sandbox.h"
#include "tools/commands.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/report/export_perfetto.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct export_options {
	const char *format;
	const char *output; /* NULL: standard output */
};

static const struct option_row rows[] = {
	{"format", 0, "perfetto", "the one that there is", options_text, offsetof(struct export_options, format)},
	{"output", 'o', "FILE.json", "(default: standard output)", options_text,
	 offsetof(struct export_options, output)},
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec export TRACE --format perfetto [OPTIONS]\n"
		"\n"
		"Writes Trace Event JSON, which ui.perfetto.dev, chrome://tracing and other viewers open.\n",
	.rows = rows,
	.argument_min = 1,
	.argument_max = 1,
	.arguments = "one TRACE",
};

static void write_file(struct trace_reader *trace, const char *name, const char *path, struct error *error)
{
	if (!path_replaceable(path, error))
		return;
	FILE *file = fopen(path, "we");
	if (!file) {
		error_set(error, STATUS_FAILED, "%s: cannot write: %s", path, strerror(errno));
		return;
	}
	export_perfetto_write(trace, name, file, error);
	bool failed = ferror(file);
	if (fclose(file) || failed) {
		error_set(error, STATUS_FAILED, "%s: cannot write: %s; what is there is no JSON", path,
			  strerror(errno));
	}
}

static void write_stdout(struct trace_reader *trace, const char *name, struct error *error)
{
	export_perfetto_write(trace, name, stdout, error);
	output_end(error);
}

static void run(const char *path, const char *output, struct error *error)
{
	sandbox_enter(&(struct sandbox_files){.traces = {path}, .outputs = output},
		      SANDBOX_NO_NETWORK | SANDBOX_NO_PROCESSES);
	struct trace_reader *trace = trace_open(path, error);
	if (trace && output && strcmp(output, "-") != 0)
		write_file(trace, path, output, error);
	else if (trace)
		write_stdout(trace, path, error);
	trace_close(trace);
}

void export_command(int argc, char **argv, struct error *error)
{
	struct export_options options = {0};
	int first = options_parse(&command_options, argc, argv, &options, error);
	if (first == 0)
		return;
	if (!options.format || strcmp(options.format, "perfetto") != 0)
		error_set(error, STATUS_FAILED, "give --format perfetto, the one that there is%s%s",
			  options.format ? ", not " : "", options.format ? options.format : "");
	else
		run(argv[first], options.output, error);
}
