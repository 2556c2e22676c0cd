/* hvrec verify: replays everything and compares everything, on all cores. */
#include "replay/run/verify.h"
#include "hv/host/sandbox.h"
#include "hv/host/session.h"
#include "tools/commands.h"
#include "tools/options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

static const char help[] =
	"usage: hvrec verify TRACE [OPTIONS]\n"
	"\n"
	"Replays the trace and compares every event, the whole guest at each keyframe, and the final state.\n"
	"\n"
	"  -j, --jobs J              replay J intervals between keyframes at a time (default: all cores)\n"
	"      --qemu PROGRAM        the qemu-system-aarch64 to use (default: the variable HVREC_QEMU, or that of "
	"PATH)\n"
	"      --quiet               no progress, no summary\n"
	"\n"
	"Exit status: 0 everything agreed, 2 it diverged, 1 it could not be replayed.\n";

enum { OPTION_QUIET = 256, OPTION_HELP, OPTION_QEMU };

static const struct option long_options[] = {
	{"jobs", required_argument, NULL, 'j'},
	{"qemu", required_argument, NULL, OPTION_QEMU},
	{"quiet", no_argument, NULL, OPTION_QUIET},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

static void verify(const struct verify_options *options, struct error *error)
{
	struct verify_result result;
	int64_t start_ns = session_now_ns();
	if (!verify_run(options, &result, error) || options->quiet)
		return;
	fprintf(stderr,
		"hvrec: replayed %" PRIu64 " instructions, %" PRIu64 " events in %zu interval%s in %.1f s, all as "
		"recorded; %s\n",
		result.instructions, result.events, result.intervals, result.intervals == 1 ? "" : "s",
		(double)(session_now_ns() - start_ns) / 1e9,
		result.final_state ? "the final state hash agrees" : "the trace has no final state");
}

void verify_command(int argc, char **argv, struct error *error)
{
	struct verify_options options = {.jobs = options_jobs_default()};
	int option;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":j:", long_options, NULL)) >= 0) {
		switch (option) {
		case 'j':
			if (!options_jobs(optarg, &options.jobs, error))
				return;
			break;
		case OPTION_QEMU:
			if (!options_qemu(optarg, error))
				return;
			break;
		case OPTION_QUIET:
			options.quiet = true;
			break;
		case OPTION_HELP:
			fputs(help, stdout);
			return;
		default:
			error_set(error, STATUS_FAILED, "unknown option or missing value; see `hvrec verify --help`");
			return;
		}
	}
	if (argc - optind != 1) {
		error_set(error, STATUS_FAILED, "give one TRACE; see `hvrec verify --help`");
		return;
	}
	options.trace = argv[optind];
	sandbox_enter(&(struct sandbox_files){.traces = {options.trace}}, SANDBOX_NO_NETWORK);
	verify(&options, error);
}
