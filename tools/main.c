/* The command hvrec: finds the subcommand, runs it, prints the one error line, and gives the exit status. */
#include "hv/host/machine_process.h"
#include "tools/commands.h"
#include "tools/output.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command commands[] = {
	{"record", record_command, "record a guest into a trace"},
	{"replay", replay_command, "re-execute a trace and check every event"},
	{"verify", verify_command, "replay a trace and compare everything, on all cores"},
	{"trim", trim_command, "a smaller trace of a part"},
	{"debug", debug_command, "start gdb on a trace, with symbols"},
	{"info", info_command, "what a trace holds"},
	{"events", events_command, "a trace's events, decoded"},
	{"console", console_command, "what the guest printed"},
	{"stat", stat_command, "exits, registers, interrupts and bytes, counted"},
	{"diff", diff_command, "where two recordings first differ"},
	{"extract", extract_command, "the recorded files, as files"},
	{"report", report_command, "a trace as one HTML page, to look at in a browser"},
	{"repair", repair_command, "save what a crash or a bad disk left of a trace"},
	{"sql", sql_command, "ask a trace questions in SQL"},
	{"export", export_command, "a trace for timeline viewers"},
	{"symbols", symbols_command, "an ELF with the kernel's symbols, for gdb"},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void usage(FILE *to)
{
	fputs("usage: hvrec COMMAND [OPTIONS]\n\n", to);
	for (int i = 0; i < COMMAND_COUNT; i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fputs("\n`hvrec COMMAND --help` lists a command's options; the manual is hvrec(1).\n", to);
}

static void version(void)
{
	char *machine = machine_process_version();
	printf("hvrec " HVREC_VERSION "\nmachine: %s, %s\n", machine_process_program(),
	       machine ? machine : "which cannot be run");
	free(machine);
}

/* A name from a damaged file may hold anything; an error is one line all the same. */
static const char *one_line(char *text)
{
	for (char *at = text; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	}
	return text;
}

/* Standard descriptors that the caller closed must not become the machine's memory. */
static void standard_fds_open(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* Prints the one error line. What was printed may still have to be written, and a full disk must not pass for success.
 * Returns the exit status. */
static int end(const char *name, struct error *error)
{
	output_end(error);
	if (error->status != STATUS_OK)
		fprintf(stderr, "hvrec %s: %s\n", name, one_line(error->text));
	return (int)error->status;
}

int main(int argc, char **argv)
{
	standard_fds_open();
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a write error like others */
	struct error error = {.status = STATUS_OK};
	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		usage(stdout);
		return end(argv[1], &error);
	}
	if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
		version();
		return end(argv[1], &error);
	}
	for (int i = 0; argc >= 2 && i < COMMAND_COUNT; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		commands[i].run(argc - 1, argv + 1, &error);
		return end(argv[1], &error);
	}
	usage(stderr);
	if (argc >= 2)
		fprintf(stderr, "hvrec: there is no command '%s'\n", argv[1]);
	return STATUS_FAILED;
}
