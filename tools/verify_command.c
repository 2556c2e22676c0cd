/* hvrec verify: replays everything and compares everything, on all cores. */
#include "hv/host/sandbox.h"
#include "hv/host/session.h"
#include "replay/run/verify.h"
#include "tools/commands.h"
#include "tools/options.h"

#include <inttypes.h>
#include <stdio.h>

static const struct option_row rows[] = {
	{"jobs", 'j', "J", "replay J intervals between keyframes at a time (default: all cores)", options_jobs,
	 offsetof(struct verify_options, jobs)},
	OPTIONS_QEMU,
	{"quiet", 0, NULL, "no progress, no summary", options_flag, offsetof(struct verify_options, quiet)},
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec verify TRACE [OPTIONS]\n"
		"\n"
		"Replays the trace and compares every event, the whole guest at each keyframe, and the final state.\n",
	.rows = rows,
	.tail = "Exit status: 0 everything agreed, 2 it diverged, 1 it could not be replayed.\n",
	.argument_min = 1,
	.argument_max = 1,
	.arguments = "one TRACE",
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
	int first = options_parse(&command_options, argc, argv, &options, error);
	if (first == 0)
		return;
	options.trace = argv[first];
	sandbox_enter(&(struct sandbox_files){.traces = {options.trace}}, SANDBOX_NO_NETWORK);
	verify(&options, error);
}
