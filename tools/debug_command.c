/* hvrec debug: gdb on a trace. A private folder holds the socket between gdb and the replay, and the symbols that are
 * made for it; it is removed at the end. */
#include "hv/host/path.h"
#include "tools/commands.h"
#include "tools/gdb/debug_process.h"
#include "tools/gdb/debug_symbols.h"
#include "tools/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"usage: hvrec debug TRACE [--symbols ELF]... [--at PLACE] [--jobs J] [--qemu PROGRAM]\n"
	"                        [-- GDB-ARGUMENT...]\n"
	"\n"
	"Starts gdb on the trace, forwards and backwards, with symbols where the guest's code really is.\n"
	"\n"
	"      --symbols ELF         symbols of the guest: a vmlinux, a program (default: the payload itself,\n"
	"                            or the names that a Linux kernel has of itself)\n"
	"      --at PLACE            begin there: N, \"event K\", \"time SECONDS\", PERCENT%, start or end\n"
	"  -j, --jobs J              search on J machines at a time (default: all cores)\n"
	"      --qemu PROGRAM        the qemu-system-aarch64 to use (default: the variable HVREC_QEMU, or that of "
	"PATH)\n"
	"\n"
	"In gdb `hvrec help` lists what travels in the recording. HVREC_GDB names the gdb to run.\n";

enum { OPTION_SYMBOLS = 256, OPTION_AT, OPTION_QEMU, OPTION_HELP };

enum { PATH_BYTES = 108, COMMAND_BYTES = 8192 };

static const struct option long_options[] = {
	{"symbols", required_argument, NULL, OPTION_SYMBOLS},
	{"at", required_argument, NULL, OPTION_AT},
	{"jobs", required_argument, NULL, 'j'},
	{"qemu", required_argument, NULL, OPTION_QEMU},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

struct session {
	const char *trace;
	const char *at; /* NULL: the start */
	unsigned jobs;
	const char *files[DEBUG_SYMBOLS_MAX];
	size_t file_count;
	char **gdb_arguments; /* NULL behind the last */
	size_t gdb_argument_count;
	char folder[PATH_BYTES], socket[PATH_BYTES], made[PATH_BYTES];
	sigset_t signals;
};

static bool folder_make(struct session *session, struct error *error)
{
	const char *place = getenv("TMPDIR");
	int length = snprintf(session->folder, PATH_BYTES - 16, "%s/hvrec-XXXXXX", place && *place ? place : "/tmp");
	if (length < 0 || length >= PATH_BYTES - 16) {
		session->folder[0] = 0;
		return error_set(error, STATUS_FAILED, "TMPDIR %s is too long a path for a socket", place);
	}
	if (!mkdtemp(session->folder)) {
		error_set(error, STATUS_FAILED, "cannot make the folder %s: %s", session->folder, strerror(errno));
		session->folder[0] = 0;
		return false;
	}
	snprintf(session->socket, PATH_BYTES, "%.90s/socket", session->folder);
	snprintf(session->made, PATH_BYTES, "%.90s/guest.elf", session->folder);
	return true;
}

static void folder_remove(const struct session *session)
{
	if (!session->folder[0])
		return;
	unlink(session->socket);
	unlink(session->made);
	rmdir(session->folder);
}

enum { ARGUMENT_COUNT_MAX = 1024, TEXT_BYTES = 1 << 16 };

/* gdb's command line. `text` holds the strings that are made for it. */
struct command_line {
	char *at[ARGUMENT_COUNT_MAX + 1];
	size_t count;
	char text[TEXT_BYTES];
	size_t text_bytes;
};

static void add(struct command_line *line, const char *argument, struct error *error)
{
	size_t bytes = strlen(argument) + 1;
	if (line->count == ARGUMENT_COUNT_MAX || bytes > TEXT_BYTES - line->text_bytes) {
		error_set(error, STATUS_FAILED, "gdb's command line would be too long");
		return;
	}
	line->at[line->count++] = memcpy(line->text + line->text_bytes, argument, bytes);
	line->text_bytes += bytes;
}

/* A gdb command about a file, whose path is quoted as gdb reads arguments. */
static void add_file(struct command_line *line, const char *command, const char *path, struct error *error)
{
	char text[COMMAND_BYTES];
	size_t used = (size_t)snprintf(text, sizeof(text), "%s \"", command);
	for (; *path && used + 4 < sizeof(text); path++) {
		if (*path == '"' || *path == '\\')
			text[used++] = '\\';
		text[used++] = *path;
	}
	text[used++] = '"';
	text[used] = 0;
	if (*path)
		error_set(error, STATUS_FAILED, "the path of a symbol file is too long");
	add(line, "-ex", error);
	add(line, text, error);
}

static void add_symbols(struct command_line *line, const struct debug_symbols *symbols, struct error *error)
{
	for (size_t i = 0; i < symbols->count; i++) {
		char command[64];
		/* With a program gdb does not ask the target for one. */
		if (i == 0)
			add_file(line, "exec-file", symbols->at[i].path, error);
		snprintf(command, sizeof(command), "with confirm off -- %s -o 0x%" PRIx64,
			 i == 0 ? "symbol-file" : "add-symbol-file", symbols->at[i].offset);
		add_file(line, command, symbols->at[i].path, error);
	}
}

static void gdb_start(const struct session *session, const char *gdb, const char *commands,
		      const struct debug_symbols *symbols, struct error *error)
{
	static struct command_line line;
	char connect[PATH_BYTES + 32];
	snprintf(connect, sizeof(connect), "target remote %s", session->socket);
	add(&line, gdb, error);
	add(&line, "-x", error);
	add(&line, commands, error);
	add_symbols(&line, symbols, error);
	add(&line, "-ex", error);
	add(&line, connect, error);
	for (size_t i = 0; i < session->gdb_argument_count; i++)
		add(&line, session->gdb_arguments[i], error);
	if (error->status == STATUS_OK)
		debug_gdb_run(line.at, &session->signals, error);
}

static void run(const struct session *session, const char *gdb, const char *commands, struct error *error)
{
	struct debug_server server = {0};
	struct debug_symbols symbols;
	struct error note;
	char address[sizeof("unix:") + PATH_BYTES];
	snprintf(address, sizeof(address), "unix:%s", session->socket);
	const struct gdb_session served = {
		.trace = session->trace, .address = address, .at = session->at, .jobs = session->jobs, .placed = true};
	/* The replay starts while the symbols are made. */
	bool good = debug_server_start(&server, &served, error) &&
		    debug_symbols_find(&symbols, session->trace, session->files, session->file_count, session->made,
				       &note, error) &&
		    debug_server_wait(&server, error);
	if (good && note.status != STATUS_OK)
		fprintf(stderr, "hvrec debug: no symbols: %s\n", note.text);
	if (good)
		gdb_start(session, gdb, commands, &symbols, error);
	debug_server_stop(&server, error);
}

static bool options_parse(int argc, char **argv, struct session *session, bool *done, struct error *error)
{
	int option;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":j:", long_options, NULL)) >= 0) {
		if (option == OPTION_HELP) {
			fputs(help, stdout);
			*done = true;
			return true;
		}
		if (option == OPTION_AT) {
			session->at = optarg;
			continue;
		}
		if (option == 'j') {
			if (!options_jobs(optarg, &session->jobs, error))
				return false;
			continue;
		}
		if (option == OPTION_QEMU) {
			if (!options_qemu(optarg, error))
				return false;
			continue;
		}
		if (option != OPTION_SYMBOLS)
			return error_set(error, STATUS_FAILED,
					 "unknown option or missing value; see `hvrec debug --help`");
		if (session->file_count == DEBUG_SYMBOLS_MAX)
			return error_set(error, STATUS_FAILED, "more than %d --symbols", DEBUG_SYMBOLS_MAX - 1);
		session->files[session->file_count++] = optarg;
	}
	return true;
}

void debug_command(int argc, char **argv, struct error *error)
{
	struct session session = {.jobs = options_jobs_default()};
	bool done = false;
	int own_count = argc;
	for (int i = 1; i < argc && own_count == argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			own_count = i;
	}
	session.gdb_arguments = argv + own_count + (own_count < argc);
	session.gdb_argument_count = (size_t)(argc - own_count - (own_count < argc));
	if (!options_parse(own_count, argv, &session, &done, error) || done)
		return;
	if (own_count - optind != 1) {
		error_set(error, STATUS_FAILED, "give one TRACE; see `hvrec debug --help`");
		return;
	}
	session.trace = argv[optind];
	const char *gdb = debug_gdb_find(error);
	char *commands = gdb ? path_gdb_commands(error) : NULL;
	debug_signals_hold(&session.signals);
	if (commands && folder_make(&session, error))
		run(&session, gdb, commands, error);
	folder_remove(&session);
	free(commands);
}
