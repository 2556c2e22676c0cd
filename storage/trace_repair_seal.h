/* Whether the metadata and names that were found are those that a trace's seal was made of (trace_seal.h). */
#pragma once
#include "storage/trace_salvage.h"

/* Whether what was found has a seal that does not hold. Sorts metadata and files. False without memory, too:
 * found->no_memory is set then. */
bool trace_repair_seal_is_broken(struct trace_salvage *found);
