/* Guests that take exceptions for ever and get no further: a fault in the handler of faults, vectors that are gone. */
#pragma once
#include "hv/core/exit.h"
#include <stdbool.h>
#include <stdint.h>

/* A handler's answer when it has had the guest take an exception; `goes_on`: what inject.h answered. */
enum exit_answer standstill_injected(bool goes_on);

/* Recording: the interrupts `irqs` (BOARD_IRQ_*) are about to be put off; the guest was entered at `entry_n`. True: not
 * this time. The guest has ended, because it will never leave this place, or a replay finds this place as well. */
bool standstill_stops(uint32_t irqs, uint64_t entry_n);
