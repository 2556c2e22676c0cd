/* The chunk codec: an array of struct event to raw bytes and back, without loss. No lz4 and no checksum in here: those
 * are trace_*.c's. The layout and every prediction are in docs/TRACE-FORMAT.md, "Chunks".
 * 1. A chunk stands alone: it is decoded without any other.
 * 2. Whatever the events hold comes back bit for bit (only `zero` must be 0).
 * 3. The decoder trusts nothing: any bytes give either events or an error, in bounded time and memory. */
#pragma once
#include "hv/abi/event.h"
#include "hv/error/error.h"
#include <stddef.h>

enum {
	CHUNK_EVENTS_MAX = 65536,
	CHUNK_RAW_BYTES_MAX = CHUNK_EVENTS_MAX * 104 + 4096, /* more than the worst events take */
};

/* Encodes 1 to CHUNK_EVENTS_MAX events. `start_idle_ns` is the guest's idle time before the first of them (guest time
 * is n + idle time). On success *raw is malloc'd and the caller's. Fails without memory, and for an event with zero !=
 * 0. */
bool chunk_encode(const struct event *events, size_t event_count, uint64_t start_idle_ns, uint8_t **raw,
		  size_t *raw_bytes, struct error *error);

/* What a chunk is decoded into: room for exactly the events that it must hold, and what it says of their start. */
struct chunk_events {
	struct event *at;
	size_t count;
	uint64_t start_idle_ns; /* comes out */
};

/* Decodes. Fails on malformed bytes, and without memory (errno is ENOMEM then); *events, and what it has room for, is
 * undefined then. */
bool chunk_decode(const uint8_t *raw, size_t raw_bytes, struct chunk_events *events, struct error *error);

/* The chunk's raw bytes by the kind that they are there for; [0]: the header, and kinds that do not exist. An event's
 * own bytes are what its decoding takes from the columns, a site's belong to its kind. */
struct chunk_weights {
	uint64_t raw_bytes[EVENT_KIND_MAX + 1];
};

/* chunk_decode, which also adds to `weights` what the chunk weighs: in all, raw_bytes. */
bool chunk_weigh(const uint8_t *raw, size_t raw_bytes, struct chunk_events *events, struct chunk_weights *weights,
		 struct error *error);
