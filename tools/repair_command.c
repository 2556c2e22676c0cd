/* hvrec repair: makes a sound trace of a damaged or unfinished one, says what was saved and lost, and tries whether a
 * replay can start from it. The damaged one is changed only with --in-place, and only if the repaired one replays. */
#include "hv/host/path.h"
#include "hv/host/sandbox.h"
#include "replay/run/guest.h"
#include "storage/trace.h"
#include "storage/trace_repair.h"
#include "tools/commands.h"
#include "tools/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct repair_options {
	const char *trace, *output;
	bool in_place;
};

static const struct option_row rows[] = {
	{"output", 'o', "FILE", "the new trace (default: TRACE.repaired); TRACE is not changed", options_text,
	 offsetof(struct repair_options, output)},
	{"in-place", 0, NULL, "the new trace takes TRACE's place, if it can be replayed", options_flag,
	 offsetof(struct repair_options, in_place)},
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec repair TRACE [-o FILE | --in-place]\n"
		"\n"
		"Saves what a crash or a bad disk left of a trace: the events up to the first that is missing, all "
		"files,\n"
		"and the keyframes whose pages are all there.\n",
	.rows = rows,
	.argument_min = 1,
	.argument_max = 1,
	.arguments = "one TRACE",
};

static bool options_agree(const struct repair_options *options, struct error *error)
{
	if (options->output && options->in_place)
		return error_set(error, STATUS_FAILED, "give -o FILE or --in-place, not both");
	if (path_same_file(options->trace, options->output))
		return error_set(error, STATUS_FAILED,
				 "-o %s is the trace itself; name another file, or use --in-place", options->output);
	return true;
}

static void report_print(const struct trace_repair_report *report)
{
	printf("saved  %" PRIu64 " events, from instruction %" PRIu64 " to %" PRIu64 "; %" PRIu64 " files; %" PRIu64
	       " keyframes\n",
	       report->event_count, report->start_n, report->last_n, report->file_count, report->keyframe_count);
	if (report->lost_event_count > 0)
		printf("lost   %" PRIu64 " events or more, from event %" PRIu64 " on\n", report->lost_event_count,
		       report->first_event + report->event_count);
	if (report->lost_file_count > 0)
		printf("lost   %" PRIu64 " files: %s\n", report->lost_file_count, report->lost_files);
	if (report->lost_keyframe_count > 0)
		printf("lost   %" PRIu64 " keyframes or more: going there takes longer\n", report->lost_keyframe_count);
	if (report->lost_block_count > 0)
		printf("lost   %" PRIu64 " versions of disks' blocks or more: a replay stops where it needs one\n",
		       report->lost_block_count);
	if (report->lost_payload_count > 0)
		printf("lost   %" PRIu64 " packets or more: a replay stops where it needs one\n",
		       report->lost_payload_count);
	if (report->metadata_doubtful)
		printf("doubt  metadata: its checksum is wrong, so some of what `hvrec info` prints may be\n");
	else if (report->complete && report->lost_keyframe_count == 0)
		printf("lost   nothing: the trace was whole\n");
	if (!report->complete)
		printf("the new trace is incomplete: %s\n", report->reason);
}

/* A trace that starts at a keyframe begins with that one's guest. */
static bool start_resume(struct trace_reader *trace, struct machine *machine, struct machine_config *config,
			 struct error *error)
{
	struct keyframe_index index = {0};
	uint64_t start_n = trace_start_n(trace);
	if (start_n == 0)
		return true;
	bool good = keyframe_index_open(&index, trace, machine->guest_ram_bytes / TRACE_PAGE_BYTES, error) &&
		    guest_resume(&index, keyframe_index_before(&index, start_n), machine, config, error);
	keyframe_index_close(&index);
	return good;
}

/* Everything that a replay takes before its first event is there and is what was recorded, the guest's RAM included. */
static bool replayable(const char *path, const struct trace_repair_report *report, struct error *error)
{
	struct machine_config config = {.mode = HV_MODE_REPLAY};
	struct error why = {.status = STATUS_OK};
	struct trace_reader *trace = trace_open(path, error);
	if (!trace)
		return false;
	struct machine *machine = guest_restore(trace, &config, &why);
	bool good = machine && start_resume(trace, machine, &config, &why);
	machine_destroy(machine);
	trace_close(trace);
	if (!good)
		return error_set(error, STATUS_FAILED, "%s cannot be replayed: %s", path, why.text);
	return report->event_count > 0 ||
	       error_set(error, STATUS_FAILED, "%s cannot be replayed: no event is left", path);
}

/* The old -wal goes first: beside the new trace it would be taken for the new one's. Killed in between, the new trace
 * is still there under its own name. */
static bool put_in_place(const char *from, const char *trace, struct error *error)
{
	static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char *name = NULL;
		if (asprintf(&name, "%s%s", trace, suffixes[i]) < 0)
			return error_set(error, STATUS_FAILED, "out of memory; the repaired trace is %s", from);
		bool gone = unlink(name) == 0 || errno == ENOENT;
		int why = errno;
		free(name);
		if (!gone)
			return error_set(error, STATUS_FAILED, "cannot remove %s%s: %s; the repaired trace is %s",
					 trace, suffixes[i], strerror(why), from);
	}
	return rename(from, trace) == 0 ||
	       error_set(error, STATUS_FAILED, "cannot replace %s: %s; the repaired trace is %s", trace,
			 strerror(errno), from);
}

static void repair(const struct repair_options *options, const char *output, struct error *error)
{
	struct trace_repair_report report;
	if (!trace_repair(options->trace, output, &report, error))
		return;
	report_print(&report);
	bool good = replayable(output, &report, error);
	if (!options->in_place)
		return;
	if (good)
		put_in_place(output, options->trace, error);
	else
		unlink(output);
}

void repair_command(int argc, char **argv, struct error *error)
{
	struct repair_options options = {0};
	char *output = NULL;
	int first = options_parse(&command_options, argc, argv, &options, error);
	if (first == 0)
		return;
	options.trace = argv[first];
	if (!options_agree(&options, error))
		return;
	char *trace = realpath(options.trace, NULL); /* --in-place replaces the file behind a link */
	if (!trace) {
		error_set(error, STATUS_FAILED, "%s: %s; name a trace", options.trace, strerror(errno));
		return;
	}
	if (options.in_place)
		options.trace = trace;
	if (options.output)
		output = strdup(options.output);
	else if (asprintf(&output, "%s.repaired", options.trace) < 0)
		output = NULL;
	sandbox_enter(&(struct sandbox_files){.traces = {options.trace}, .outputs = output},
		      SANDBOX_NO_NETWORK | SANDBOX_NO_PROCESSES);
	if (output)
		repair(&options, output, error);
	else
		error_set(error, STATUS_FAILED, "out of memory");
	free(output);
	free(trace);
}
