/* hvrec symbols: an ELF with the names of the guest's kernel, at the addresses where it ran. */
#include "hv/host/path.h"
#include "hv/host/sandbox.h"
#include "tools/commands.h"
#include "tools/gdb/kernel_symbols.h"
#include "tools/options.h"

#include <stdio.h>

struct symbols_options {
	const char *output, *system_map;
};

static const struct option_row rows[] = {
	{"output", 'o', "FILE.elf", "(default: TRACE with .elf for its ending)", options_text,
	 offsetof(struct symbols_options, output)},
	{"system-map", 0, "FILE", "take names from a System.map, which has data too", options_text,
	 offsetof(struct symbols_options, system_map)},
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec symbols TRACE [OPTIONS]\n"
		"\n"
		"Writes an ELF with the kernel's symbols, for gdb: from its own tables (kallsyms), where it really "
		"runs\n"
		"(KASLR).\n",
	.rows = rows,
	.argument_min = 1,
	.argument_max = 1,
	.arguments = "one TRACE",
};

static void write_to(const char *trace, const char *output, const char *system_map, struct error *error)
{
	struct kernel kernel;
	size_t count;
	sandbox_enter(&(struct sandbox_files){.traces = {trace}, .outputs = output}, SANDBOX_NO_NETWORK);
	if (!path_replaceable(output, error))
		return;
	if (kernel_symbols_write(trace, output, system_map, &kernel, &count, error))
		fprintf(stderr, "hvrec: %zu symbols in %s, _text at 0x%llx\n", count, output,
			(unsigned long long)kernel.va);
	kernel_free(&kernel);
}

void symbols_command(int argc, char **argv, struct error *error)
{
	struct symbols_options options = {0};
	char path[4096];
	int first = options_parse(&command_options, argc, argv, &options, error);
	if (first == 0 || (!options.output && !options_output(argv[first], ".elf", path, sizeof(path), error)))
		return;
	write_to(argv[first], options.output ? options.output : path, options.system_map, error);
}
