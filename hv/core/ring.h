/* The rings that EL2 and the host share (hv/abi/mailbox.h): ordered index accesses, and sleeping until the host moves.
 */
#pragma once
#include "hv/core/hv.h"

/* Index reads see all that the other side wrote before it; index writes come after all of ours. */
static inline uint64_t ring_index_load(const volatile uint64_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static inline void ring_index_store(volatile uint64_t *index, uint64_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/* Consecutive slots of the event ring, of which is known that they are hv's: room for events (recording), or
 * events (replaying). Without any, the indexes in the mailbox tell whether there are more. */
struct ring_events {
	struct event *next, *end;
};
extern struct ring_events ring_events;

/* The host may have changed the indexes: nothing is known. */
void ring_events_forget(void);
/* `count` slots are, beginning with that of `index`. */
void ring_events_from(uint64_t index, uint64_t count);

/* Rings the host and sleeps at EL2 until the host rings back. The caller looks again at what it waits for, and must
 * have called ring_wait_announce and looked once more before, so that no wake-up is lost. */
void ring_wait_announce(void);
void ring_wait(void);

/* Asks the host, and waits for its answer. False: the host could not do it. */
bool ring_ask(struct hv_ask *ask);

/* Moves the packet that comes next, at most HV_PACKET_BYTES_MAX, out of its ring, which has one. Returns its length. */
uint32_t ring_packet_take(uint8_t *to);

/* Has the host ring soon, for the guest may come to where nothing else interrupts it. Does not wait for it. */
void ring_bell_ask(void);

/* In serve mode: sleeps until the host's last bell has come. One that came later would stop the guest where the
 * recording did not, and clear its exclusive monitor (I8). */
void ring_bell_await(void);
