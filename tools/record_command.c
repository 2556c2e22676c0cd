/* hvrec record: options to struct record_options. */
#include "hv/abi/machine.h"
#include "recorder/record.h"
#include "tools/commands.h"
#include "tools/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"usage: hvrec record [-o TRACE] --kernel IMAGE [--initrd FILE] [--append TEXT] [OPTIONS]\n"
	"       hvrec record [-o TRACE] [OPTIONS] PAYLOAD [ARGUMENTS…]\n"
	"\n"
	"Boots a Linux kernel, or a bare-metal program for QEMU's virt board, and records it.\n"
	"\n"
	"  -o, --output TRACE        the trace to write (default: hvrec.trace)\n"
	"      --kernel IMAGE        an arm64 Image, gzip or EFI zboot included\n"
	"      --initrd FILE         the initial RAM disk\n"
	"      --append TEXT         the kernel command line\n"
	"      --dtb FILE            a device tree instead of the built one\n"
	"      --memory SIZE         the guest's RAM (default: 512M)\n"
	"      --input FILE|-        console input (default: the terminal, if there is one)\n"
	"      --input-after TEXT    a line of it waits until the console shows TEXT (once for each such line)\n"
	"      --console FILE|-|none where console output goes (default: -, standard output)\n"
	"      --pace skip|real      idle time is skipped, or waited for (default: real on a terminal)\n"
	"      --keyframe-every TIME|none\n"
	"                            real time between keyframes, where a replay can start (default: 500ms)\n"
	"      --keep TIME|SIZE      keep only the last TIME of guest time (30s, 10min), or the last SIZE (500M) of\n"
	"                            events and keyframes\n"
	"      --max-instructions N  end after N instructions (k, M, G)\n"
	"      --timeout SECONDS     end after so much real time\n"
	"      --qemu PROGRAM        the qemu-system-aarch64 to use (default: the variable HVREC_QEMU, or that of "
	"PATH)\n"
	"      --until TEXT          end, with status 0, when the console shows TEXT\n"
	"      --quiet               no progress line, no summary\n"
	"\n"
	"On a terminal: Ctrl-A X ends, Ctrl-A H helps.\n";

enum {
	OPTION_KERNEL = 256,
	OPTION_INITRD,
	OPTION_APPEND,
	OPTION_DTB,
	OPTION_MEMORY,
	OPTION_INPUT,
	OPTION_INPUT_AFTER,
	OPTION_CONSOLE,
	OPTION_PACE,
	OPTION_KEYFRAME_EVERY,
	OPTION_KEEP,
	OPTION_MAX_INSTRUCTIONS,
	OPTION_TIMEOUT,
	OPTION_QEMU,
	OPTION_UNTIL,
	OPTION_QUIET,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{"output", required_argument, NULL, 'o'},
	{"kernel", required_argument, NULL, OPTION_KERNEL},
	{"initrd", required_argument, NULL, OPTION_INITRD},
	{"append", required_argument, NULL, OPTION_APPEND},
	{"dtb", required_argument, NULL, OPTION_DTB},
	{"memory", required_argument, NULL, OPTION_MEMORY},
	{"input", required_argument, NULL, OPTION_INPUT},
	{"input-after", required_argument, NULL, OPTION_INPUT_AFTER},
	{"console", required_argument, NULL, OPTION_CONSOLE},
	{"pace", required_argument, NULL, OPTION_PACE},
	{"keyframe-every", required_argument, NULL, OPTION_KEYFRAME_EVERY},
	{"keep", required_argument, NULL, OPTION_KEEP},
	{"max-instructions", required_argument, NULL, OPTION_MAX_INSTRUCTIONS},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"qemu", required_argument, NULL, OPTION_QEMU},
	{"until", required_argument, NULL, OPTION_UNTIL},
	{"quiet", no_argument, NULL, OPTION_QUIET},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

static bool pace_parse(const char *text, struct record_options *options, struct error *error)
{
	options->pace_chosen = true;
	options->pace = strcmp(text, "real") == 0 ? HV_PACE_REAL : HV_PACE_SKIP;
	return options->pace == HV_PACE_REAL || strcmp(text, "skip") == 0 ||
	       error_set(error, STATUS_FAILED, "--pace %s is neither skip nor real", text);
}

static bool memory_parse(const char *text, struct record_options *options, struct error *error)
{
	if (!options_size("--memory", text, &options->memory_bytes, error))
		return false;
	if (options->memory_bytes >= UINT64_C(1) << 20 && options->memory_bytes <= GUEST_RAM_BYTES_MAX &&
	    options->memory_bytes % 4096 == 0)
		return true;
	return error_set(error, STATUS_FAILED, "--memory %s is not between 1M and 255G in steps of 4K", text);
}

static bool keyframes_parse(const char *text, struct record_options *options, struct error *error)
{
	options->keyframe_ns = 0;
	return strcmp(text, "none") == 0 || options_duration("--keyframe-every", text, &options->keyframe_ns, error);
}

static bool keep_parse(const char *text, struct record_options *options, struct error *error)
{
	struct error ignored = {.status = STATUS_OK};
	options->keep_ns = options->keep_bytes = 0;
	bool is_size = *text && strchr("KMG", text[strlen(text) - 1]);
	if (is_size ? options_size("--keep", text, &options->keep_bytes, &ignored) && options->keep_bytes > 0
		    : options_duration("--keep", text, &options->keep_ns, &ignored))
		return true;
	return error_set(error, STATUS_FAILED,
			 "--keep %s is neither a duration, such as 30s or 10min, nor a size, such "
			 "as 500M",
			 text);
}

/* One more prompt. The list stays the caller's to free. */
static bool input_after_add(const char *text, struct record_options *options, struct error *error)
{
	size_t count = 0;
	while (options->input_after && options->input_after[count])
		count++;
	const char **grown = realloc(options->input_after, (count + 2) * sizeof(*grown));
	if (!grown)
		return error_set(error, STATUS_FAILED, "out of memory");
	grown[count] = text;
	grown[count + 1] = NULL;
	options->input_after = grown;
	return true;
}

static bool until_parse(const char *text, struct record_options *options, struct error *error)
{
	options->until = text;
	return *text || error_set(error, STATUS_FAILED, "--until needs a text to wait for");
}

static bool option_take(int option, struct record_options *options, struct error *error)
{
	switch (option) {
	case 'o':
		options->trace = optarg;
		return true;
	case OPTION_KERNEL:
		options->kernel = optarg;
		return true;
	case OPTION_INITRD:
		options->initrd = optarg;
		return true;
	case OPTION_APPEND:
		options->bootargs = optarg;
		return true;
	case OPTION_DTB:
		options->dtb = optarg;
		return true;
	case OPTION_MEMORY:
		return memory_parse(optarg, options, error);
	case OPTION_INPUT:
		options->input = optarg;
		return true;
	case OPTION_INPUT_AFTER:
		return input_after_add(optarg, options, error);
	case OPTION_CONSOLE:
		options->console = optarg;
		return true;
	case OPTION_PACE:
		return pace_parse(optarg, options, error);
	case OPTION_KEYFRAME_EVERY:
		return keyframes_parse(optarg, options, error);
	case OPTION_KEEP:
		return keep_parse(optarg, options, error);
	case OPTION_MAX_INSTRUCTIONS:
		return options_count("--max-instructions", optarg, &options->max_instructions, error) &&
		       (options->max_instructions > 0 ||
			error_set(error, STATUS_FAILED, "--max-instructions 0 leaves nothing to record"));
	case OPTION_TIMEOUT:
		return options_seconds("--timeout", optarg, &options->timeout_s, error);
	case OPTION_QEMU:
		return options_qemu(optarg, error);
	case OPTION_UNTIL:
		return until_parse(optarg, options, error);
	case OPTION_QUIET:
		options->quiet = true;
		return true;
	case ':':
		return error_set(error, STATUS_FAILED, "an option lacks its value; see `hvrec record --help`");
	default:
		return error_set(error, STATUS_FAILED, "unknown option; see `hvrec record --help`");
	}
}

/* The payload's arguments, joined by spaces; malloc'd. */
static char *arguments_join(int count, char **arguments)
{
	size_t bytes = 1;
	for (int i = 0; i < count; i++)
		bytes += strlen(arguments[i]) + 1;
	char *text = calloc(1, bytes), *at = text;
	for (int i = 0; text && i < count; i++) {
		if (i > 0)
			*at++ = ' ';
		at = stpcpy(at, arguments[i]);
	}
	return text;
}

static void record_payload(struct record_options *options, int count, char **arguments, struct error *error)
{
	char *joined = NULL;
	if (options->kernel && count > 0) {
		error_set(error, STATUS_FAILED, "both --kernel and the payload %s are given", arguments[0]);
	} else if (!options->kernel && count == 0) {
		error_set(error, STATUS_FAILED, "there is nothing to record: give --kernel IMAGE or a PAYLOAD");
	} else if (count > 1 && options->bootargs) {
		error_set(error, STATUS_FAILED, "both --append and payload arguments are given");
	} else {
		if (!options->kernel)
			options->kernel = arguments[0];
		if (count > 1)
			options->bootargs = joined = arguments_join(count - 1, arguments + 1);
		record_run(options, error);
	}
	free(joined);
}

/* What single options do not show. */
static bool options_agree(const struct record_options *options, struct error *error)
{
	if (options->keyframe_ns == 0 && (options->keep_ns != 0 || options->keep_bytes != 0))
		return error_set(error, STATUS_FAILED, "--keep needs keyframes, and --keyframe-every none takes none");
	if (options->input_after && !options->input && !isatty(STDIN_FILENO))
		return error_set(error, STATUS_FAILED, "--input-after has no input to hold back: give --input FILE");
	return true;
}

/* Fills `options`, whose input_after is the caller's to free. Returns whether there is something to record. */
static bool options_take(int argc, char **argv, struct record_options *options, struct error *error)
{
	int option;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:o:", long_options, NULL)) >= 0) {
		if (option == OPTION_HELP) {
			fputs(help, stdout);
			return false;
		}
		if (!option_take(option, options, error))
			return false;
	}
	return options_agree(options, error);
}

void record_command(int argc, char **argv, struct error *error)
{
	struct record_options options = {
		.trace = "hvrec.trace", .memory_bytes = UINT64_C(512) << 20, .keyframe_ns = UINT64_C(500000000)};
	if (options_take(argc, argv, &options, error))
		record_payload(&options, argc - optind, argv + optind, error);
	free(options.input_after);
}
