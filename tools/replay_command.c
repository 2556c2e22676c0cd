/* hvrec replay: options to struct replay_options. */
#include "replay/run/replay.h"
#include "hv/host/sandbox.h"
#include "tools/commands.h"
#include "tools/gdb/gdb_session.h"
#include "tools/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: hvrec replay TRACE [OPTIONS]\n"
	"\n"
	"Re-executes the trace, checks every event and the final state, and reprints the console.\n"
	"\n"
	"      --console FILE|-|none where console output goes (default: -, standard output)\n"
	"      --until N             stop after N instructions (k, M, G)\n"
	"      --gdb[=HOST:PORT|unix:PATH|-]\n"
	"                            serve gdb, forwards and backwards (default: 127.0.0.1:1234)\n"
	"      --at PLACE            with --gdb, begin there: N, \"event K\", \"time SECONDS\", "
	"PERCENT%, start or end\n"
	"  -j, --jobs J              with --gdb, search on J machines at a time (default: all cores)\n"
	"      --qemu PROGRAM        the qemu-system-aarch64 to use (default: the variable HVREC_QEMU, or that of "
	"PATH)\n"
	"      --quiet               no progress line, no summary\n"
	"\n"
	"Exit status: 0 everything agreed, 2 it diverged, 1 it could not be replayed.\n";

enum { OPTION_CONSOLE = 256, OPTION_UNTIL, OPTION_QUIET, OPTION_HELP, OPTION_GDB, OPTION_AT, OPTION_QEMU };

static const struct option long_options[] = {
	{"console", required_argument, NULL, OPTION_CONSOLE},
	{"until", required_argument, NULL, OPTION_UNTIL},
	{"gdb", optional_argument, NULL, OPTION_GDB},
	{"at", required_argument, NULL, OPTION_AT},
	{"jobs", required_argument, NULL, 'j'},
	{"qemu", required_argument, NULL, OPTION_QEMU},
	{"quiet", no_argument, NULL, OPTION_QUIET},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

void replay_command(int argc, char **argv, struct error *error)
{
	struct replay_options options = {.until_n = UINT64_MAX};
	const char *gdb = NULL, *at = NULL;
	unsigned jobs = 0;
	int option;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":j:", long_options, NULL)) >= 0) {
		switch (option) {
		case OPTION_CONSOLE:
			options.console = optarg;
			break;
		case OPTION_UNTIL:
			if (!options_count("--until", optarg, &options.until_n, error))
				return;
			break;
		case OPTION_GDB:
			gdb = optarg ? optarg : "127.0.0.1:1234";
			break;
		case OPTION_AT:
			at = optarg;
			break;
		case 'j':
			if (!options_jobs(optarg, &jobs, error))
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
			error_set(error, STATUS_FAILED, "unknown option or missing value; see `hvrec replay --help`");
			return;
		}
	}
	if (argc - optind != 1) {
		error_set(error, STATUS_FAILED, "give one TRACE; see `hvrec replay --help`");
		return;
	}
	if (at && !gdb) {
		error_set(error, STATUS_FAILED, "--at is for --gdb; a replay starts at the start");
		return;
	}
	if (jobs != 0 && !gdb) {
		error_set(error, STATUS_FAILED, "--jobs is for --gdb; `hvrec verify` replays on several machines");
		return;
	}
	if (gdb && (options.console || options.until_n != UINT64_MAX)) {
		error_set(error, STATUS_FAILED, "--console and --until are not for --gdb; --at says where it begins");
		return;
	}
	options.trace = argv[optind];
	const struct gdb_session session = {.trace = options.trace,
					    .address = gdb,
					    .at = at,
					    .jobs = jobs != 0 ? jobs : options_jobs_default(),
					    .quiet = options.quiet};
	const char *socket = gdb && strncmp(gdb, "unix:", 5) == 0 ? gdb + 5 : NULL;
	sandbox_enter(&(struct sandbox_files){.traces = {options.trace}, .outputs = options.console, .socket = socket},
		      gdb ? 0 : SANDBOX_NO_NETWORK);
	if (gdb)
		gdb_session_run(&session, error);
	else
		replay_run(&options, error);
}
