/* A recording's guest: reads the user's files, lays them out in the machine's RAM, and keeps all of it in the trace. */
#pragma once
#include "hv/host/layout.h"
#include "hv/host/machine.h"
#include "recorder/record.h"
#include "storage/trace.h"

/* Fills RAM and `config`'s entry, DTB and RTC. */
bool guest_load(const struct record_options *options, struct machine *machine, struct machine_config *config,
		struct trace_writer *trace, struct error *error);
