/* hvrec export: a trace for other programs. */
#include "hv/host/path.h"
#include "hv/host/sandbox.h"
#include "tools/commands.h"
#include "tools/report/export_perfetto.h"
#include "tools/output.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] = "usage: hvrec export TRACE --format perfetto [OPTIONS]\n"
			   "\n"
			   "Writes Trace Event JSON, which ui.perfetto.dev, chrome://tracing and other viewers open.\n"
			   "\n"
			   "      --format perfetto\n"
			   "  -o, --output FILE.json    (default: standard output)\n";

enum { OPTION_FORMAT = 256, OPTION_HELP };

static const struct option long_options[] = {
	{"format", required_argument, NULL, OPTION_FORMAT},
	{"output", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
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
	const char *format = NULL, *output = NULL;
	int option;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":o:", long_options, NULL)) >= 0) {
		switch (option) {
		case OPTION_FORMAT:
			format = optarg;
			break;
		case 'o':
			output = optarg;
			break;
		case OPTION_HELP:
			fputs(help, stdout);
			return;
		default:
			error_set(error, STATUS_FAILED, "unknown option or missing value; see `hvrec export --help`");
			return;
		}
	}
	if (argc - optind != 1)
		error_set(error, STATUS_FAILED, "give one TRACE; see `hvrec export --help`");
	else if (!format || strcmp(format, "perfetto") != 0)
		error_set(error, STATUS_FAILED, "give --format perfetto, the one that there is%s%s",
			  format ? ", not " : "", format ? format : "");
	else
		run(argv[optind], output, error);
}
