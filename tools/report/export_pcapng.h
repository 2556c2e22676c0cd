/* The packets of a trace as a pcapng file, which Wireshark, tshark and tcpdump read. */
#pragma once
#include "hv/error/error.h"
#include "storage/trace.h"
#include <stdio.h>

/* Writes all packets to `to`. Timestamps, in ns, are the guest's real-time clock's: its start and guest time. What is
 * written is valid pcapng also if the trace is damaged halfway. False: it is; error set. Whether `to` has failed is the
 * caller's to ask. */
bool export_pcapng_write(struct trace_reader *trace, FILE *to, struct error *error);
