/* hvrec replay: options to struct replay_options. */
#include "hv/host/sandbox.h"
#include "replay/run/replay.h"
#include "tools/commands.h"
#include "tools/gdb/gdb_session.h"
#include "tools/options.h"

#include <stdio.h>
#include <string.h>

struct replay_request {
	struct replay_options replay;
	const char *gdb; /* NULL: replay once */
	const char *at;
	unsigned jobs; /* 0: not given */
};

static bool gdb_take(const char *option, const char *text, void *into, struct error *error)
{
	return options_text(option, text ? text : "127.0.0.1:1234", into, error);
}

static const struct option_row rows[] = {
	{"console", 0, "FILE|-|none", "where console output goes (default: -, standard output)", options_text,
	 offsetof(struct replay_request, replay.console)},
	{"until", 0, "N", "stop after N instructions (k, M, G)", options_count,
	 offsetof(struct replay_request, replay.until_n)},
	{"gdb", 0, "[=HOST:PORT|unix:PATH|-]", "serve gdb, forwards and backwards (default: 127.0.0.1:1234)", gdb_take,
	 offsetof(struct replay_request, gdb)},
	{"at", 0, "PLACE", "with --gdb, begin there: N, \"event K\", \"time SECONDS\", PERCENT%, start or end",
	 options_text, offsetof(struct replay_request, at)},
	{"jobs", 'j', "J", "with --gdb, search on J machines at a time (default: all cores)", options_jobs,
	 offsetof(struct replay_request, jobs)},
	OPTIONS_QEMU,
	{"quiet", 0, NULL, "no progress line, no summary", options_flag, offsetof(struct replay_request, replay.quiet)},
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec replay TRACE [OPTIONS]\n"
		"\n"
		"Re-executes the trace, checks every event and the final state, and reprints the console.\n",
	.rows = rows,
	.tail = "Exit status: 0 everything agreed, 2 it diverged, 1 it could not be replayed.\n",
	.argument_min = 1,
	.argument_max = 1,
	.arguments = "one TRACE",
};

/* What single options do not show. */
static bool options_agree(const struct replay_request *request, struct error *error)
{
	if (request->at && !request->gdb)
		return error_set(error, STATUS_FAILED, "--at is for --gdb; a replay starts at the start");
	if (request->jobs != 0 && !request->gdb)
		return error_set(error, STATUS_FAILED,
				 "--jobs is for --gdb; `hvrec verify` replays on several machines");
	if (request->gdb && (request->replay.console || request->replay.until_n != UINT64_MAX))
		return error_set(error, STATUS_FAILED,
				 "--console and --until are not for --gdb; --at says where it begins");
	return true;
}

void replay_command(int argc, char **argv, struct error *error)
{
	struct replay_request request = {.replay.until_n = UINT64_MAX};
	int first = options_parse(&command_options, argc, argv, &request, error);
	if (first == 0 || !options_agree(&request, error))
		return;
	const char *gdb = request.gdb;
	request.replay.trace = argv[first];
	const struct gdb_session session = {.trace = request.replay.trace,
					    .address = gdb,
					    .at = request.at,
					    .jobs = request.jobs != 0 ? request.jobs : options_jobs_default(),
					    .quiet = request.replay.quiet};
	const char *socket = gdb && strncmp(gdb, "unix:", 5) == 0 ? gdb + 5 : NULL;
	sandbox_enter(&(struct sandbox_files){.traces = {request.replay.trace},
					      .outputs = request.replay.console,
					      .socket = socket},
		      gdb ? 0 : SANDBOX_NO_NETWORK);
	if (gdb)
		gdb_session_run(&session, error);
	else
		replay_run(&request.replay, error);
}
