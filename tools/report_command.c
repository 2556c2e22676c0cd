/* hvrec report: a trace as one HTML page. The page is made in memory first, so that a damaged trace leaves the output
 * file as it was. */
#include "hv/host/path.h"
#include "hv/host/sandbox.h"
#include "tools/commands.h"
#include "tools/options.h"
#include "tools/report/report_names.h"
#include "tools/report/report_page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct report_options {
	const char *output;
	bool function_names;
};

static const struct option_row rows[] = {
	{"output", 'o', "FILE.html", "(default: TRACE with .html for its ending)", options_text,
	 offsetof(struct report_options, output)},
	{"function-names", 0, NULL,
	 "name a Linux kernel's functions; runs the trace up to where the kernel is in its place", options_flag,
	 offsetof(struct report_options, function_names)},
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec report TRACE [OPTIONS]\n"
		"\n"
		"Writes one HTML page, complete in itself, that shows the run: a timeline of exits, interrupts,\n"
		"idle time and console, counts, and for every place the `monitor seek` line that goes there.\n",
	.rows = rows,
	.argument_min = 1,
	.argument_max = 1,
	.arguments = "one TRACE",
};

struct page {
	char *text; /* malloc */
	size_t bytes;
};

static bool page_make(const char *path, const struct symbols *names, struct page *page, struct error *error)
{
	struct trace_reader *trace = trace_open(path, error);
	FILE *out = trace ? open_memstream(&page->text, &page->bytes) : NULL;
	const char *slash = strrchr(path, '/');
	bool good = out && report_page_write(trace, slash ? slash + 1 : path, names, out, error);
	bool written = out && !ferror(out);
	if (out && fclose(out) != 0)
		written = false;
	trace_close(trace);
	return (good && written) || error_set(error, STATUS_FAILED, "out of memory for the page");
}

static bool page_save(const struct page *page, const char *path, struct error *error)
{
	FILE *out = fopen(path, "we");
	bool written = out && fwrite(page->text, 1, page->bytes, out) == page->bytes;
	bool closed = !out || fclose(out) == 0;
	return (written && closed) ||
	       error_set(error, STATUS_FAILED, "cannot write the report to %s: %s", path, strerror(errno));
}

static void report(const char *trace, const char *output, bool with_names, struct error *error)
{
	struct page page = {0};
	struct symbols names = {0};
	sandbox_enter(&(struct sandbox_files){.traces = {trace}, .outputs = output},
		      SANDBOX_NO_NETWORK | (with_names ? 0 : SANDBOX_NO_PROCESSES)); /* names may need a machine */
	if (path_replaceable(output, error) && (!with_names || report_names_load(trace, &names, error)) &&
	    page_make(trace, &names, &page, error) && page_save(&page, output, error))
		fprintf(stderr, "hvrec: %zu bytes in %s\n", page.bytes, output);
	free(page.text);
	symbols_free(&names);
}

void report_command(int argc, char **argv, struct error *error)
{
	struct report_options options = {0};
	char path[4096];
	int first = options_parse(&command_options, argc, argv, &options, error);
	if (first == 0 || (!options.output && !options_output(argv[first], ".html", path, sizeof(path), error)))
		return;
	report(argv[first], options.output ? options.output : path, options.function_names, error);
}
