/* The machine's own clock: CNTPCT_EL0, which counts 62.5 MHz ticks, and event counter 1 of the PMU, which counts the
 * same time in ns. Between them exact guest time is set up at each entry (hv/arch/world.S). What hv/core and hv/board
 * ask of it is in hv/arch/arch.h. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Starts counter 1, and finds how the two clocks lie to each other and which sign of CNTVOFF_EL2 the machine can bear.
 * The PMU has to be on. False: this machine's counters are not exact (no -icount, or a frequency other than
 * GUEST_COUNTER_HZ). */
bool machine_clock_init(void);

/* From counter 1 to CNTPCT_EL0 * 16, modulo 2^32. */
uint64_t machine_clock_bias(void);
/* hv runs on CPU `cpu` from here on. */
void machine_clock_arrive(uint32_t cpu);
