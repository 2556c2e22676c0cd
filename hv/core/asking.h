/* Whether a guest that is recorded asks for console input. Bytes that come before its driver is there are lost on a
 * real board, and scripted ones are there from the start: they wait until then. This is policy of the recording alone;
 * what it decides shows as INPUT events, and a replay takes those.
 *
 * A guest asks when
 * 1. the receive interrupt is unmasked and the receiver on: RXE and UARTEN in UARTCR, or UARTCR never written, since
 *    QEMU's model, which guests were tried on, ignores both bits;
 * 2. it waits (WFI) with the receive interrupt unmasked, whatever UARTCR says;
 * 3. it polls: it looks for a byte ASKING_LOOKS times in a row and sends nothing between; ASKING_LOOKS_OFF times while
 *    the receiver is off. Fewer looks are those of a driver that sends, or that empties the FIFO as it starts;
 * 4. it looks once when its receiver has been on for a second.
 * What 2 to 4 say holds until the receiver is switched off. */
#pragma once
#include "hv/abi/event.h"
#include "hv/abi/guest_state.h"
#include "hv/abi/types.h"
#include <stdbool.h>

enum { ASKING_LOOKS = 4, ASKING_LOOKS_OFF = 256 };
#define ASKING_ON_NS NS_PER_S

/* A trap of the guest at guest time `now`; called for each, before its effect on the UART. Cannot fail. */
void asking_see(const struct event *event, ns_t now);
/* The guest waits. */
void asking_idle(const struct pl011_state *uart);
/* Whether it asks now. */
bool asking(const struct pl011_state *uart);
