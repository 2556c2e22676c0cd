/* Whatever of hvrec is given a trace's path. Of a share see trace_readers.h. */
#include "tests/fuzz/trace_commands.h"
#include "replay/guest/kernel.h"
#include "storage/trace_repair.h"
#include "tests/fuzz/random.h"
#include "tests/fuzz/trace_extension.h"
#include "tools/commands.h"

#include <inttypes.h>
#include <unistd.h>

static void repair_survey(int argc, char **argv, struct error *error)
{
	struct trace_repair_report report;
	(void)argc;
	trace_repair_survey(argv[1], &report, error);
}

static void kernel_command(int argc, char **argv, struct error *error)
{
	struct kernel kernel;
	(void)argc;
	kernel_load(argv[1], &kernel, error);
	kernel_free(&kernel);
}

static void extension(int argc, char **argv, struct error *error)
{
	(void)argc;
	trace_extension_ask(argv[1], error);
}

enum { ARGUMENTS_MAX = 10, FORMS_MAX = 11 };

/* In arguments: @ the trace, = a sound one, > the output file, / the folder. One form is chosen. */
struct command_reader {
	const char *name;
	void (*run)(int argc, char **argv, struct error *error);
	unsigned share;
	const char *forms[FORMS_MAX][ARGUMENTS_MAX];
};

static const struct command_reader commands[] = {
	{"repair survey", repair_survey, 1, {{"@"}}},
	{"repair", repair_command, 32, {{"@", "-o", ">"}}},
	{"kernel", kernel_command, 2, {{"@"}}},
	{"info", info_command, 4, {{"@"}, {"@", "--json"}}},
	{"stat", stat_command, 8, {{"@"}, {"@", "--format", "json"}}},
	{"console",
	 console_command,
	 2,
	 {{"@"}, {"@", "--timestamps"}, {"@", "--find", "console"}, {"@", "--find", "e", "--all"}}},
	{"events",
	 events_command,
	 4,
	 {{"@", "--limit", "50"},
	  {"@", "--format", "json", "--from", "1000", "--limit", "50"},
	  {"@", "--format", "csv", "--to", "9k", "--limit", "50"},
	  {"@", "--kind", "irq", "--kind", "console", "--vcpu", "0"},
	  {"@", "--address", "uart", "--from", "5000", "--format", "csv"},
	  {"@", "--kind", "disk", "--kind", "net", "--kind", "rng", "--address", "virtio"}}},
	{"diff", diff_command, 8, {{"@", "="}, {"=", "@"}, {"@", "=", "--context", "0"}, {"@", "@"}}},
	{"extract",
	 extract_command,
	 8,
	 {{"@", "-o", "/", "--force"},
	  {"@", "-o", "/", "--force", "ram/40000000"},
	  {"@", "-o", ">", "--force", "--disk", "vda"},
	  {"@", "-o", ">", "--force", "--disk", "vda", "--at", "50%", "--image", "@"}}},
	{"export",
	 export_command,
	 32,
	 {{"@", "--format", "perfetto", "-o", ">"},
	  {"@", "--format", "perfetto"},
	  {"@", "--format", "pcapng", "-o", ">"}}},
	{"sql",
	 sql_command,
	 16,
	 {{"@", "SELECT kind, count(*) FROM events GROUP BY kind"},
	  {"@", "SELECT * FROM events WHERE n BETWEEN 2000 AND 4000", "--format", "json"},
	  {"@", "SELECT event, n, kind, name FROM events WHERE event > 20 AND event <= 45 AND kind = 'MMIO_WRITE'"},
	  {"@", "SELECT * FROM events WHERE time_ns >= 3000 ORDER BY n DESC LIMIT 20", "--format", "table"},
	  {"@", "SELECT text FROM events WHERE event IN (0, 30, 200) OR n = 1800"},
	  {"@", "SELECT * FROM console WHERE text LIKE '%console%'; SELECT hvrec_chunks_read()"},
	  {"@", "SELECT e.event, e.text FROM console c JOIN events e ON e.event BETWEEN c.event - 2 AND c.event"},
	  {"@", "SELECT * FROM keyframes", "--format", "table"},
	  {"@", "SELECT * FROM disk; SELECT * FROM packets", "--format", "json"},
	  {"@", "SELECT * FROM meta; SELECT * FROM file; SELECT * FROM blob", "--format", "json"},
	  {"@", "SELECT sql FROM main.sqlite_schema; SELECT * FROM chunk; SELECT * FROM keyframe, page_group",
	   "--format", "table"}}},
	{"extension", extension, 16, {{"@"}}},
	{"report", report_command, 64, {{"@", "-o", ">"}}},
	{"trim",
	 trim_command,
	 64,
	 {{"@", "-o", ">", "--quiet"},
	  {"@", "-o", ">", "--from", "4000"},
	  {"@", "-o", ">", "--from", "4000", "--to", "9000"}}},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static uint64_t command_runs[COMMAND_COUNT];

static const char *argument(const char *form, const struct trace_readers_paths *paths)
{
	switch (form[0]) {
	case '@':
		return paths->trace;
	case '=':
		return paths->sound;
	case '>':
		return paths->output;
	case '/':
		return paths->folder;
	default:
		return form;
	}
}

static void command_run(const struct command_reader *command, const struct trace_readers_paths *paths)
{
	struct error error = {.status = STATUS_OK};
	char *argv[ARGUMENTS_MAX + 2] = {(char *)"command"};
	int argc = 1;
	size_t form_count = 1;
	while (form_count < FORMS_MAX && command->forms[form_count][0])
		form_count++;
	const char *const *form = command->forms[random_below(form_count)];
	for (; argc <= ARGUMENTS_MAX && form[argc - 1]; argc++)
		argv[argc] = (char *)argument(form[argc - 1], paths);
	unlink(paths->output); /* hvrec does not replace a trace by another file, nor the other way round */
	command->run(argc, argv, &error);
}

void trace_commands_run(const struct trace_readers_paths *paths)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (random_below(commands[i].share) == 0) {
			command_run(&commands[i], paths);
			command_runs[i]++;
		}
	}
}

void trace_commands_report(FILE *out)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, ", %s %" PRIu64, commands[i].name, command_runs[i]);
}
