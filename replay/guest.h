/* A trace's guest, put back into a machine's RAM. */
#pragma once
#include "hv/host/machine.h"
#include "storage/trace.h"

/* Makes a machine as the trace's was, with the very same RAM, and fills `config`. NULL: error set. */
struct machine *guest_restore(struct trace_reader *trace, struct machine_config *config, struct error *error);
/* Compares this machine's ID registers with the recording's. False: they differ, error names the first. */
bool guest_fingerprint_check(struct trace_reader *trace, const struct machine *machine, struct error *error);
