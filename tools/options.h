/* Values of command-line options, and their defaults. All return false, with `error` naming option and text, for what
 * is not one. */
#pragma once
#include "hv/error/error.h"
#include <stddef.h>
#include <stdint.h>

/* An instruction count, as numbers_count reads it. */
bool options_count(const char *option, const char *text, uint64_t *value, struct error *error);
/* A size in bytes with an optional K, M or G (powers of 1024); without one: MiB, as QEMU's -m. */
bool options_size(const char *option, const char *text, uint64_t *bytes, struct error *error);
/* A duration in ns: a positive decimal number with ms, s, min or h, such as 500ms. */
bool options_duration(const char *option, const char *text, uint64_t *ns, struct error *error);
/* Seconds, a positive decimal number. */
bool options_seconds(const char *option, const char *text, double *seconds, struct error *error);
/* Machines to run at a time, 1 to ENGINE_JOBS_MAX. */
bool options_jobs(const char *text, unsigned *jobs, struct error *error);
/* The program that machines are from now on, here and in processes that this one starts: it becomes the variable
 * HVREC_QEMU. */
bool options_qemu(const char *path, struct error *error);
/* As many as this process may use cores. */
unsigned options_jobs_default(void);
/* The path of what is made from a trace, if the user names none: the trace's own with another `ending` (".elf"). False:
 * longer than `path_bytes`; error set. */
bool options_output(const char *trace, const char *ending, char *path, size_t path_bytes, struct error *error);
