/* hvrec trim: options to trim_run. */
#include "replay/trace/trim.h"
#include "hv/host/sandbox.h"
#include "tools/commands.h"
#include "tools/options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

static const char help[] =
	"usage: hvrec trim TRACE -o FILE [--from N] [--to N]\n"
	"\n"
	"Writes a smaller trace that replays the positions from N to N: it starts at the last keyframe at or\n"
	"before --from and ends at the first event at or behind --to.\n"
	"\n"
	"  -o, --output FILE         the trace to write\n"
	"      --from N, --to N      positions in instructions (k, M, G; default: start and end)\n"
	"      --quiet               no summary\n";

enum { OPTION_FROM = 256, OPTION_TO, OPTION_QUIET, OPTION_HELP };

static const struct option long_options[] = {
	{"output", required_argument, NULL, 'o'},   {"from", required_argument, NULL, OPTION_FROM},
	{"to", required_argument, NULL, OPTION_TO}, {"quiet", no_argument, NULL, OPTION_QUIET},
	{"help", no_argument, NULL, OPTION_HELP},   {0},
};

static void trim(const char *from, const char *to, uint64_t first_n, uint64_t last_n, bool quiet, struct error *error)
{
	struct trim_result result;
	if (!trim_run(from, to, first_n, last_n, &result, error) || quiet)
		return;
	fprintf(stderr,
		"hvrec: kept instructions %" PRIu64 " to %" PRIu64 ", %" PRIu64 " events, in %s: %" PRIu64
		" bytes of %" PRIu64 "\n",
		result.start_n, result.end_n, result.event_count, to, result.to_bytes, result.from_bytes);
}

void trim_command(int argc, char **argv, struct error *error)
{
	const char *output = NULL;
	uint64_t first_n = 0, last_n = UINT64_MAX;
	bool quiet = false, good = true;
	int option;
	opterr = 0;
	while (good && (option = getopt_long(argc, argv, ":o:", long_options, NULL)) >= 0) {
		switch (option) {
		case 'o':
			output = optarg;
			break;
		case OPTION_FROM:
			good = options_count("--from", optarg, &first_n, error);
			break;
		case OPTION_TO:
			good = options_count("--to", optarg, &last_n, error);
			break;
		case OPTION_QUIET:
			quiet = true;
			break;
		case OPTION_HELP:
			fputs(help, stdout);
			return;
		default:
			good = error_set(error, STATUS_FAILED,
					 "unknown option or missing value; see `hvrec trim --help`");
			break;
		}
	}
	if (good && (argc - optind != 1 || !output))
		good = error_set(error, STATUS_FAILED, "give one TRACE and -o FILE; see `hvrec trim --help`");
	if (good && first_n > last_n)
		good = error_set(error, STATUS_FAILED, "--from is behind --to");
	if (good)
		sandbox_enter(&(struct sandbox_files){.traces = {argv[optind]}, .outputs = output},
			      SANDBOX_NO_NETWORK | SANDBOX_NO_PROCESSES);
	if (good)
		trim(argv[optind], output, first_n, last_n, quiet, error);
}
