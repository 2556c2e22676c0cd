/* Loops in which a vCPU waits for another one, awake. */
#pragma once
#include "hv/core/exit.h"
#include <stdbool.h>
#include <stdint.h>

/* Call at an asynchronous exit that is an event: looks whether the guest stands in such a loop, and replaces its WFE or
 * YIELD by an instruction that traps. */
void spin_look(void);
/* How many such instructions were found so far. */
uint64_t spin_found(void);
/* Whether the HVC at pc is one that stands for WFE or YIELD. */
bool spin_is_here(const struct exit *exit);
