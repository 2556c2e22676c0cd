/* The names of the guest kernel's functions for the addresses in the report. They cost a replay of the trace's
 * beginning, which needs the machine, so they are there only if asked for. */
#pragma once
#include "replay/guest/symbols.h"

/* Reads the names from the kernel's kallsyms, at the addresses where the kernel ran; frees with symbols_free. False:
 * the guest is no Linux kernel with kallsyms, or the trace cannot be replayed; error set. */
bool report_names_load(const char *trace, struct symbols *names, struct error *error);
/* The address of the function around `pc`; `pc` itself where `names`, which must be sorted, have none. Cannot fail. */
uint64_t report_names_function(const struct symbols *names, uint64_t pc);
/* "pl011_int+0x24", or "ffff800008010000" where there is no name; cut to `bytes`. Cannot fail. */
void report_names_text(const struct symbols *names, uint64_t pc, char *text, size_t bytes);
