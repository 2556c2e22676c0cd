/* hvrec stat's lines about disks, network cards and random bytes. Nothing is printed of a guest without any. */
#pragma once
#include "replay/trace/trace_stat.h"

/* Tables of what each device moved. */
void stat_devices_print(const struct trace_stat *stat);
/* What blocks of disks and payloads take in the file. */
void stat_devices_print_bytes(const struct trace_stat *stat);
