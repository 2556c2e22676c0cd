/* Sleeping for the host. Interrupts that come meanwhile are kept for the run loop. */
#include "hv/core/ring.h"
#include "hv/arch/panic.h"
#include "hv/board/board.h"
#include "hv/core/interrupts.h"

/* For an answer, before hv sleeps: most come in less than it takes to wake up. */
enum { LOOKS = 3000 };

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

bool ring_ask(struct hv_ask *ask)
{
	volatile struct hv_ask *shared = &hv.mailbox->ask;
	shared->device = ask->device;
	shared->bytes = ask->bytes;
	shared->sector = ask->sector;
	shared->failed = 0;
	__atomic_store_n(&shared->kind, ask->kind, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&hv.mailbox->looks, __ATOMIC_SEQ_CST))
		board_doorbell_ring();
	for (uint32_t i = 0; i < LOOKS && __atomic_load_n(&shared->kind, __ATOMIC_ACQUIRE) != HV_ASK_NONE; i++)
		;
	while (__atomic_load_n(&shared->kind, __ATOMIC_ACQUIRE) != HV_ASK_NONE) {
		ring_wait_announce();
		if (shared->kind != HV_ASK_NONE)
			ring_wait();
	}
	if (ask->kind == HV_ASK_PACKET)
		ask->bytes = shared->bytes;
	CHECK(ask->bytes <= HV_TRANSFER_BYTES);
	return !shared->failed;
}

void ring_bell_await(void)
{
	while (hv.boot->serve && board_bell() != (uint8_t)__atomic_load_n(&hv.mailbox->bell, __ATOMIC_ACQUIRE))
		interrupts_taken_add(board_wait());
}
