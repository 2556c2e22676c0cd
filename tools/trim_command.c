/* hvrec trim: options to trim_run. */
#include "hv/host/sandbox.h"
#include "replay/trace/trim.h"
#include "tools/commands.h"
#include "tools/options.h"

#include <inttypes.h>
#include <stdio.h>

struct trim_options {
	const char *output;
	uint64_t first_n, last_n;
	bool quiet;
};

static const struct option_row rows[] = {
	{"output", 'o', "FILE", "the trace to write", options_text, offsetof(struct trim_options, output)},
	{"from", 0, "N", "from this position on, in instructions (k, M, G; default: the start)", options_count,
	 offsetof(struct trim_options, first_n)},
	{"to", 0, "N", "up to this position (default: the end)", options_count, offsetof(struct trim_options, last_n)},
	{"quiet", 0, NULL, "no summary", options_flag, offsetof(struct trim_options, quiet)},
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec trim TRACE -o FILE [--from N] [--to N]\n"
		"\n"
		"Writes a smaller trace that replays the positions from N to N: it starts at the last keyframe at or\n"
		"before --from and ends at the first event at or after --to.\n",
	.rows = rows,
	.argument_min = 1,
	.argument_max = 1,
	.arguments = "one TRACE and -o FILE",
};

static void trim(const char *from, const struct trim_options *options, struct error *error)
{
	struct trim_result result;
	if (!trim_run(from, options->output, options->first_n, options->last_n, &result, error) || options->quiet)
		return;
	fprintf(stderr,
		"hvrec: kept instructions %" PRIu64 " to %" PRIu64 ", %" PRIu64 " events, in %s: %" PRIu64
		" bytes of %" PRIu64 "\n",
		result.start_n, result.end_n, result.event_count, options->output, result.to_bytes, result.from_bytes);
}

void trim_command(int argc, char **argv, struct error *error)
{
	struct trim_options options = {.last_n = UINT64_MAX};
	int first = options_parse(&command_options, argc, argv, &options, error);
	if (first == 0)
		return;
	if (!options.output) {
		error_set(error, STATUS_FAILED, "give -o FILE; see `hvrec trim --help`");
		return;
	}
	if (options.first_n > options.last_n) {
		error_set(error, STATUS_FAILED, "--from is after --to");
		return;
	}
	sandbox_enter(&(struct sandbox_files){.traces = {argv[first]}, .outputs = options.output},
		      SANDBOX_NO_NETWORK | SANDBOX_NO_PROCESSES);
	trim(argv[first], &options, error);
}
