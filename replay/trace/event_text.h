/* One event as one decoded line for people: the monitor's `events`, a divergence report, `hvrec events`.
 *
 * `devices` are the trace's (replay/trace/metadata.h), whose disks are then called by name; NULL: not known here.
 * Nothing about the event is trusted: what has no name is printed as a number. No function here can fail; all cut the
 * text to `bytes`, NUL included. */
#pragma once
#include "hv/abi/event.h"
#include <stddef.h>

struct virtio_list;

enum { EVENT_TEXT_BYTES = 256 }; /* enough for any line */

/* "MMIO_WRITE"; NULL for a kind that does not exist. */
const char *event_text_kind(uint16_t kind);

/* What happened, without where: "MMIO_WRITE uart UARTDR <- 0x48 'H', 1 byte". "nothing" for kind 0. */
void event_text_meaning(const struct event *event, const struct virtio_list *devices, char *text, size_t bytes);

/* The same without the kind: "uart UARTDR <- 0x48 'H', 1 byte". Empty for kind 0. */
void event_text_details(const struct event *event, const struct virtio_list *devices, char *text, size_t bytes);

/* The name alone of what the event is about: "uart UARTDR", "CNTPCT_EL0", "27 (virtual timer)", "PSCI_VERSION", "power
 * off", "vda". False, and an empty text, for kinds that are about nothing with a name. */
bool event_text_name(const struct event *event, const struct virtio_list *devices, char *text, size_t bytes);

/* Position, pc, vCPU and meaning, in columns. No newline. */
void event_text_line(const struct event *event, const struct virtio_list *devices, char *text, size_t bytes);
