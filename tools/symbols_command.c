/* hvrec symbols: an ELF with the names of the guest's kernel, at the addresses where it ran. */
#include "hv/host/path.h"
#include "hv/host/sandbox.h"
#include "tools/commands.h"
#include "tools/gdb/kernel_symbols.h"
#include "tools/options.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] = "usage: hvrec symbols TRACE [OPTIONS]\n"
			   "\n"
			   "Writes an ELF with the kernel's symbols, for gdb: from its own tables (kallsyms), where it "
			   "really runs (KASLR).\n"
			   "\n"
			   "  -o, --output FILE.elf     (default: TRACE with .elf for its ending)\n"
			   "      --system-map FILE     take names from a System.map, which has data too\n";

enum { OPTION_SYSTEM_MAP = 256, OPTION_HELP };

static const struct option long_options[] = {
	{"output", required_argument, NULL, 'o'},
	{"system-map", required_argument, NULL, OPTION_SYSTEM_MAP},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
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
	const char *output = NULL, *system_map = NULL;
	char path[4096];
	int option;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":o:", long_options, NULL)) >= 0) {
		switch (option) {
		case 'o':
			output = optarg;
			break;
		case OPTION_SYSTEM_MAP:
			system_map = optarg;
			break;
		case OPTION_HELP:
			fputs(help, stdout);
			return;
		default:
			error_set(error, STATUS_FAILED, "unknown option or missing value; see `hvrec symbols --help`");
			return;
		}
	}
	if (argc - optind != 1) {
		error_set(error, STATUS_FAILED, "give one TRACE; see `hvrec symbols --help`");
		return;
	}
	if (!output && !options_output(argv[optind], ".elf", path, sizeof(path), error))
		return;
	write_to(argv[optind], output ? output : path, system_map, error);
}
