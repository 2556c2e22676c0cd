/* A trace's guest, put back into a machine's RAM. */
#pragma once
#include "hv/host/machine.h"
#include "replay/trace/keyframe_index.h"

/* Makes a machine as the trace's was, with the very same RAM, and fills `config`. NULL: error set. */
struct machine *guest_restore(struct trace_reader *trace, struct machine_config *config, struct error *error);
/* RAM as it was at position 0, in memory that the caller unmaps. NULL: error set. */
uint8_t *guest_start_ram(struct trace_reader *trace, uint64_t ram_bytes, struct error *error);
/* Makes a machine that guest_restore made start at a keyframe. */
bool guest_resume(const struct keyframe_index *index, size_t keyframe, struct machine *machine,
		  struct machine_config *config, struct error *error);
/* Compares this machine's registers with the recording's, once hv runs. False: one that the guest sees without a trap
 * differs, error names it. */
bool guest_fingerprint_check(const struct machine *machine, struct error *error);
/* For the end of an error about memory that differs: why it may; or "". */
const char *guest_fingerprint_hint(const struct machine *machine);
