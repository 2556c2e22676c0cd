/* Values of command-line options. All return false, with `error` naming option and text, for what is not one. */
#pragma once
#include "hv/host/error.h"
#include <stdint.h>

/* An instruction count: decimal, with an optional k, M or G (powers of 1000); 0x… is hexadecimal. */
bool options_count(const char *option, const char *text, uint64_t *value, struct error *error);
/* A size in bytes with an optional K, M or G (powers of 1024); without one: MiB, as QEMU's -m. */
bool options_size(const char *option, const char *text, uint64_t *bytes, struct error *error);
/* A duration in ns: a positive decimal number with ms, s, min or h, such as 500ms. */
bool options_duration(const char *option, const char *text, uint64_t *ns, struct error *error);
/* Seconds, a positive decimal number. */
bool options_seconds(const char *option, const char *text, double *seconds, struct error *error);
