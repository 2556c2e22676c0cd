/* A recording's guest: reads the user's files, lays them out in the machine's RAM, and keeps all of it in the trace. */
#pragma once
#include "hv/host/machine.h"
#include "recorder/load/layout.h"
#include "recorder/record.h"
#include "storage/trace.h"

struct guest {
	void *kernel, *initrd, *dtb; /* the user's files */
	size_t kernel_bytes, initrd_bytes, dtb_bytes;
	struct guest_layout layout;
};

/* Reads the files, fills RAM and `config`'s entry, DTB and RTC. The caller frees `guest` whatever comes. */
bool guest_load(struct guest *guest, const struct record_options *options, struct machine *machine,
		struct machine_config *config, struct error *error);
/* Puts the guest into the trace and commits. */
bool guest_keep(const struct guest *guest, const struct record_options *options, const struct machine *machine,
		const struct machine_config *config, struct trace_writer *trace, struct error *error);
void guest_free(struct guest *guest);
