/* A trace's kernel symbols as an ELF file, for `hvrec symbols` and `hvrec debug`. */
#pragma once
#include "replay/guest/kernel.h"

/* Writes `output` from the kernel's kallsyms or, if it is not NULL, from the System.map at `system_map`. Fills
 * `kernel`, which the caller frees whatever comes, and the number of symbols. False: error set. */
bool kernel_symbols_write(const char *trace, const char *output, const char *system_map, struct kernel *kernel,
			  size_t *count, struct error *error);
