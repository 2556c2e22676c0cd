/* hvrec record: options to struct record_options. */
#include "hv/abi/machine.h"
#include "hv/host/path.h"
#include "recorder/record.h"
#include "tools/commands.h"
#include "tools/options.h"
#include "tools/record_devices.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool pace_take(const char *option, const char *text, void *into, struct error *error)
{
	struct record_options *options = into;
	options->pace_chosen = true;
	options->pace = strcmp(text, "real") == 0 ? HV_PACE_REAL : HV_PACE_SKIP;
	return options->pace == HV_PACE_REAL || strcmp(text, "skip") == 0 ||
	       error_set(error, STATUS_FAILED, "%s %s is neither skip nor real", option, text);
}

static bool memory_take(const char *option, const char *text, void *into, struct error *error)
{
	struct record_options *options = into;
	if (!options_size(option, text, &options->memory_bytes, error))
		return false;
	if (options->memory_bytes >= UINT64_C(1) << 20 && options->memory_bytes <= GUEST_RAM_BYTES_MAX &&
	    options->memory_bytes % 4096 == 0)
		return true;
	return error_set(error, STATUS_FAILED, "%s %s is not between 1M and 255G in steps of 4K", option, text);
}

static bool vcpus_take(const char *option, const char *text, void *into, struct error *error)
{
	struct record_options *options = into;
	uint64_t count = 0;
	struct error ignored = {.status = STATUS_OK};
	bool ok = options_count(option, text, &count, &ignored) && count >= 1 && count <= GUEST_VCPU_MAX;
	options->vcpu_count = (uint32_t)count;
	return ok || error_set(error, STATUS_FAILED, "%s %s is not a number of vCPUs from 1 to %d", option, text,
			       GUEST_VCPU_MAX);
}

/* Seed 0 means fair to hv, so any other stands for it. */
static bool turns_take(const char *option, const char *text, void *into, struct error *error)
{
	struct record_options *options = into;
	struct error ignored = {.status = STATUS_OK};
	options->turn_seed = 0;
	if (strcmp(text, "fair") == 0)
		return true;
	if (strncmp(text, "random:", 7) != 0 || !options_count(option, text + 7, &options->turn_seed, &ignored))
		return error_set(error, STATUS_FAILED, "%s %s is neither fair nor random:SEED, with a number", option,
				 text);
	if (options->turn_seed == 0)
		options->turn_seed = UINT64_MAX;
	return true;
}

static bool keyframes_take(const char *option, const char *text, void *into, struct error *error)
{
	struct record_options *options = into;
	options->keyframe_ns = 0;
	return strcmp(text, "none") == 0 || options_duration(option, text, &options->keyframe_ns, error);
}

static bool keep_take(const char *option, const char *text, void *into, struct error *error)
{
	struct record_options *options = into;
	struct error ignored = {.status = STATUS_OK};
	options->keep_ns = options->keep_bytes = 0;
	bool is_size = *text && strchr("KMG", text[strlen(text) - 1]);
	if (is_size ? options_size(option, text, &options->keep_bytes, &ignored) && options->keep_bytes > 0
		    : options_duration(option, text, &options->keep_ns, &ignored))
		return true;
	return error_set(error, STATUS_FAILED,
			 "%s %s is neither a duration, such as 30s or 10min, nor a size, such as 500M", option, text);
}

/* One more prompt. The list stays the caller's to free. */
static bool input_after_take(const char *option, const char *text, void *into, struct error *error)
{
	struct record_options *options = into;
	(void)option;
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

static bool until_take(const char *option, const char *text, void *into, struct error *error)
{
	struct record_options *options = into;
	options->until = text;
	return *text || error_set(error, STATUS_FAILED, "%s needs a text to wait for", option);
}

static bool firmware_take(const char *option, const char *text, void *into, struct error *error)
{
	struct record_options *options = into;
	free(options->firmware);
	options->firmware = strcmp(text, "u-boot") == 0 ? path_u_boot(error) : strdup(text);
	return options->firmware || error_set(error, STATUS_FAILED, "%s %s: out of memory", option, text);
}

static bool max_instructions_take(const char *option, const char *text, void *into, struct error *error)
{
	struct record_options *options = into;
	return options_count(option, text, &options->max_instructions, error) &&
	       (options->max_instructions > 0 ||
		error_set(error, STATUS_FAILED, "%s 0 leaves nothing to record", option));
}

#define AT(field) offsetof(struct record_options, field)
static const struct option_row rows[] = {
	{"output", 'o', "TRACE", "the trace to write (default: hvrec.trace)", options_text, AT(trace)},
	{"kernel", 0, "IMAGE", "an arm64 Image, gzip or EFI zboot included", options_text, AT(kernel)},
	{"initrd", 0, "FILE", "the initial RAM disk", options_text, AT(initrd)},
	{"append", 0, "TEXT", "the kernel command line", options_text, AT(bootargs)},
	{"firmware", 0, "u-boot|FILE", "no kernel: run this image from flash, as a board does; or Debian's U-Boot",
	 firmware_take, 0},
	{"dtb", 0, "FILE", "a device tree instead of the built one", options_text, AT(dtb)},
	{"memory", 0, "SIZE", "the guest's RAM (default: 512M)", memory_take, 0},
	{"smp", 0, "N", "how many vCPUs the guest has, 1 to 8 (default: 1)", vcpus_take, 0},
	{"vcpus", 0, "N", "the same", vcpus_take, 0},
	{"turns", 0, "fair|random:SEED", "how vCPUs take turns: slices of 1 ms, or of random length (default: fair)",
	 turns_take, 0},
	{"input", 0, "FILE|-", "console input (default: the terminal, if there is one)", options_text, AT(input)},
	{"input-after", 0, "TEXT", "a line of it waits until the console shows TEXT (once for each such line)",
	 input_after_take, 0},
	{"console", 0, "FILE|-|none", "where console output goes (default: -, standard output)", options_text,
	 AT(console)},
	{"disk", 0, "FILE[,ro][,write][,serial=TEXT][,name=TEXT][,format=NAME]",
	 "a disk of the guest (repeatable); FILE stays as it is unless write is given", record_disk_take, 0},
	{"net", 0, "none|user[,restrict][,hostfwd=tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT]",
	 "the guest's network (default: none); ports of the host (of 127.0.0.1) can be forwarded to it",
	 record_net_take, 0},
	{"rng", 0, NULL, "a source of random numbers (default: with a disk or a network)", options_flag,
	 AT(devices.rng)},
	{"no-rng", 0, NULL, "none", options_flag, AT(devices.no_rng)},
	{"pace", 0, "skip|real", "idle time is skipped, or waited for (default: real on a terminal and with a network)",
	 pace_take, 0},
	{"keyframe-every", 0, "TIME|none", "real time between keyframes, where a replay can start (default: 500ms)",
	 keyframes_take, 0},
	{"keep", 0, "TIME|SIZE",
	 "keep only the last TIME of guest time (30s, 10min), or the last SIZE (500M) of events and keyframes",
	 keep_take, 0},
	{"max-instructions", 0, "N", "end after N instructions (k, M, G)", max_instructions_take, 0},
	{"timeout", 0, "SECONDS", "end after so much real time", options_seconds, AT(timeout_s)},
	OPTIONS_QEMU,
	{"until", 0, "TEXT", "end, with status 0, when the console shows TEXT", until_take, 0},
	{"quiet", 0, NULL, "no progress line, no summary", options_flag, AT(quiet)},
	{0},
};
#undef AT

static const struct command_options command_options = {
	.head = "usage: hvrec record [-o TRACE] --kernel IMAGE [--initrd FILE] [--append TEXT] [OPTIONS]\n"
		"       hvrec record [-o TRACE] [OPTIONS] PAYLOAD [ARGUMENTS…]\n"
		"       hvrec record [-o TRACE] [OPTIONS] --firmware u-boot|FILE\n"
		"\n"
		"Boots a Linux kernel, or a bare-metal program for QEMU's virt board, and records it.\n",
	.rows = rows,
	.tail = "On a terminal: Ctrl-A X ends, Ctrl-A H helps.\n",
	.argument_max = INT_MAX,
	.options_first = true,
};

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

/* Firmware is all that there is: it finds what it boots by itself. */
static void record_firmware(struct record_options *options, int count, char **arguments, struct error *error)
{
	const char *other = options->kernel     ? "--kernel"
			    : options->initrd   ? "--initrd"
			    : options->bootargs ? "--append"
			    : count > 0         ? arguments[0]
						: NULL;
	if (other)
		error_set(error, STATUS_FAILED, "both --firmware and %s are given: firmware is started alone", other);
	else
		record_run(options, error);
}

static void record_payload(struct record_options *options, int count, char **arguments, struct error *error)
{
	char *joined = NULL;
	if (options->kernel && count > 0) {
		error_set(error, STATUS_FAILED, "both --kernel and the payload %s are given", arguments[0]);
	} else if (!options->kernel && count == 0) {
		error_set(error, STATUS_FAILED,
			  "there is nothing to record: give --kernel IMAGE, --firmware or a PAYLOAD");
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

void record_command(int argc, char **argv, struct error *error)
{
	struct record_options options = {.trace = "hvrec.trace",
					 .memory_bytes = UINT64_C(512) << 20,
					 .vcpu_count = 1,
					 .keyframe_ns = UINT64_C(500000000)};
	int first = options_parse(&command_options, argc, argv, &options, error);
	if (first != 0 && options_agree(&options, error) && options.firmware)
		record_firmware(&options, argc - first, argv + first, error);
	else if (first != 0 && error->status == STATUS_OK)
		record_payload(&options, argc - first, argv + first, error);
	free(options.input_after);
	record_devices_free(&options);
	free(options.firmware);
}
