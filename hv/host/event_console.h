/* The console's output as events have it; apart from session.h because it needs no machine. */
#pragma once
#include "hv/abi/event.h"
#include <stddef.h>

/* Appends to `bytes` the console output that `events` hold (writes of UARTDR) and returns how many; room for `count`.
 * Cannot fail. */
size_t event_console_bytes(const struct event *events, size_t count, uint8_t *bytes);
