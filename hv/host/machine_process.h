/* The process that is the machine: QEMU's virt board with an instruction clock. Only machine.c and its like call this.
 */
#pragma once
#include "hv/host/machine.h"

/* The program: what the variable HVREC_QEMU names, or qemu-system-aarch64. */
const char *machine_process_program(void);
/* Starts it; it inherits the RAM and one end of the doorbell, and dies with this thread. */
bool machine_process_start(struct machine *machine, struct error *error);
/* User and system CPU time that it has used, in clock ticks; 0 if that cannot be read. */
uint64_t machine_process_cpu_ticks(const struct machine *machine);
/* Kills and reaps it, if it runs. */
void machine_process_end(struct machine *machine);
/* First line of `qemu-system-aarch64 --version` for the trace's metadata; malloc'd, NULL if it cannot be had. */
char *machine_process_version(void);
