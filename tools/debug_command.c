/* hvrec debug: gdb on a trace. A private folder holds the socket between gdb and the replay, and the symbols that are
 * made for it; it is removed at the end. */
#include "hv/host/path.h"
#include "tools/commands.h"
#include "tools/gdb/debug_process.h"
#include "tools/gdb/debug_symbols.h"
#include "tools/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 108, COMMAND_BYTES = 8192 };

struct session {
	const char *trace;
	const char *at; /* NULL: the start */
	unsigned jobs;
	struct debug_symbols_files files;
	char **gdb_arguments; /* NULL after the last */
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
		    debug_symbols_find(&symbols, session->trace, &session->files, session->made, &note, error) &&
		    debug_server_wait(&server, error);
	if (good && note.status != STATUS_OK)
		fprintf(stderr, "hvrec debug: no symbols: %s\n", note.text);
	if (good)
		gdb_start(session, gdb, commands, &symbols, error);
	debug_server_stop(&server, error);
}

static bool symbols_take(const char *option, const char *text, void *into, struct error *error)
{
	struct session *session = into;
	if (session->files.count == DEBUG_SYMBOLS_FILES_MAX)
		return error_set(error, STATUS_FAILED, "more than %d %s", DEBUG_SYMBOLS_FILES_MAX, option);
	session->files.at[session->files.count++] = text;
	return true;
}

static const struct option_row rows[] = {
	{"symbols", 0, "ELF",
	 "symbols of the guest: a vmlinux, a program (default: the payload itself, or the names that a Linux kernel "
	 "has of itself)",
	 symbols_take, 0},
	{"at", 0, "PLACE", "begin there: N, \"event K\", \"time SECONDS\", PERCENT%, start or end", options_text,
	 offsetof(struct session, at)},
	{"jobs", 'j', "J", "search on J machines at a time (default: all cores)", options_jobs,
	 offsetof(struct session, jobs)},
	OPTIONS_QEMU,
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec debug TRACE [--symbols ELF]... [--at PLACE] [--jobs J] [--qemu PROGRAM]\n"
		"                        [-- GDB-ARGUMENT...]\n"
		"\n"
		"Starts gdb on the trace, forwards and backwards, with symbols where the guest's code really is.\n",
	.rows = rows,
	.tail = "In gdb `hvrec help` lists what travels in the recording. HVREC_GDB names the gdb to run.\n",
	.argument_min = 1,
	.argument_max = 1,
	.arguments = "one TRACE",
};

void debug_command(int argc, char **argv, struct error *error)
{
	struct session session = {.jobs = options_jobs_default()};
	int own_count = argc;
	for (int i = 1; i < argc && own_count == argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			own_count = i;
	}
	session.gdb_arguments = argv + own_count + (own_count < argc);
	session.gdb_argument_count = (size_t)(argc - own_count - (own_count < argc));
	int first = options_parse(&command_options, own_count, argv, &session, error);
	if (first == 0)
		return;
	session.trace = argv[first];
	const char *gdb = debug_gdb_find(error);
	char *commands = gdb ? path_gdb_commands(error) : NULL;
	debug_signals_hold(&session.signals);
	if (commands && folder_make(&session, error))
		run(&session, gdb, commands, error);
	folder_remove(&session);
	free(commands);
}
