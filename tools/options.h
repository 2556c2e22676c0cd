/* The options of a command: one table of rows, from which options_parse derives what getopt_long wants, the text of
 * --help, and where each value goes. Below it are the kinds of values that several commands take. */
#pragma once
#include "hv/error/error.h"
#include <stddef.h>
#include <stdint.h>

/* Reads the value `text` of an option, which `option` names as the user knows it ("--memory"), into what a row says.
 * `text` is NULL if the option has no value. False: it is none; error set, with option and text in it. */
typedef bool option_take(const char *option, const char *text, void *into, struct error *error);

struct option_row {
	const char *name;  /* without the dashes */
	char letter;       /* of the short form; 0: it has none */
	const char *value; /* what --help calls the value; NULL: it takes none; "[=…]": it may be left out */
	const char *help;  /* one sentence or more; --help breaks the lines */
	option_take *take;
	size_t offset; /* in the struct that options_parse fills: what `take` gets */
};

struct command_options {
	const char *head;              /* of --help: the usage and what the command does */
	const struct option_row *rows; /* the last one has no name; --help itself is not among them */
	const char *tail;              /* of --help, or NULL */
	int argument_min, argument_max;
	const char *arguments; /* for whoever gives others than so many: "one TRACE" */
	bool options_first;    /* what follows the first argument is no option */
};

/* Reads a command's options into the struct `into`; argv[0] is the command's name. Returns the index in `argv`, which
 * is permuted, of the first argument that is no option. 0: there is nothing to do, since --help has been printed, or
 * what was given is wrong; then error is set. */
int options_parse(const struct command_options *command, int argc, char **argv, void *into, struct error *error);

/* ---- kinds of values ---- */

/* The text itself: a const char *. */
option_take options_text;
/* An option without a value: sets a bool. */
option_take options_flag;
/* An instruction count, as numbers_count reads it: a uint64_t. */
option_take options_count;
/* A size in bytes with an optional K, M or G (powers of 1024); without one: MiB, as QEMU's -m. A uint64_t. */
option_take options_size;
/* A duration: a positive decimal number with ms, s, min or h, such as 500ms. A uint64_t, in ns. */
option_take options_duration;
/* Seconds, a positive decimal number: a double. */
option_take options_seconds;
/* Machines to run at a time, 1 to ENGINE_JOBS_MAX: an unsigned. */
option_take options_jobs;
/* The program that machines are from now on, here and in processes that this one starts: it becomes the variable
 * HVREC_QEMU, and `into` is left alone. OPTIONS_QEMU is its row. */
option_take options_qemu;

#define OPTIONS_QEMU                                                                                                   \
	{                                                                                                              \
		.name = "qemu", .value = "PROGRAM", .take = options_qemu,                                              \
		.help = "the qemu-system-aarch64 to use (default: the variable HVREC_QEMU, or that of PATH)"           \
	}

/* As many as this process may use cores. */
unsigned options_jobs_default(void);
/* The path of what is made from a trace, if the user names none: the trace's own with another `ending` (".elf"). False:
 * longer than `path_bytes`; error set. */
bool options_output(const char *trace, const char *ending, char *path, size_t path_bytes, struct error *error);
