/* Sleeping for the host. Interrupts that come meanwhile are kept for the run loop. */
#include "hv/core/ring.h"
#include "hv/board/board.h"
#include "hv/core/interrupts.h"

struct ring_events ring_events;

void ring_events_forget(void)
{
	ring_events = (struct ring_events){NULL, NULL};
}

void ring_events_from(uint64_t index, uint64_t count)
{
	struct event *slots = (struct event *)hv.boot->event_ring_pa;
	uint64_t first = index & (hv.boot->event_ring_count - 1);
	uint64_t left = hv.boot->event_ring_count - first;
	ring_events.next = &slots[first];
	ring_events.end = ring_events.next + (count < left ? count : left);
}

void ring_wait_announce(void)
{
	hv.mailbox->waits = 1;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* announced before the caller looks again */
}

void ring_bell_ask(void)
{
	board_host_let_in();
	ring_wait_announce();
	board_doorbell_ring();
}

void ring_wait(void)
{
	board_doorbell_ring();
	while (hv.mailbox->waits)
		interrupts_taken_add(board_wait());
	ring_bell_await();
}

void ring_bell_await(void)
{
	while (hv.boot->serve && board_bell() != (uint8_t)__atomic_load_n(&hv.mailbox->bell, __ATOMIC_ACQUIRE))
		interrupts_taken_add(board_wait());
}
