/* The run loop. */
#pragma once
#include <stdint.h>

/* Enters the guest again and again until hv.ended. */
void run(void);

/* Interrupts (BOARD_IRQ_*) that were acknowledged outside the run loop, for it to act on. */
void run_interrupts_add(uint32_t taken);
